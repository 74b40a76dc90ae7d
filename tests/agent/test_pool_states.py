"""Pools that are stopped, or that OCI could fill only in part."""

import pytest

from agent.service import Agent
from simulator.faults import Shortage
from tests.agent.rig import Decisions, Rig, config_yaml, pool_yaml


def start(rig: Rig, **settings: str) -> tuple[Agent, Decisions]:
    seen = Decisions(rig.world)
    return rig.agent(config_yaml(pool_yaml("web", **settings)), on_decision=seen), seen


def rows(agent: Agent) -> list[dict[str, object]]:
    found = agent.outbox.batch(10_000, 10**8).records
    return [dict(record) for record in found if record["kind"] == "pool_analytics"]


@pytest.mark.slow
def test_a_stopped_pool_is_left_alone_and_kept_again_when_it_is_started(rig: Rig) -> None:
    rig.add_pool("web", size=4, demand=200)
    agent, seen = start(rig)
    rig.run(agent, minutes=1)
    web = rig.world.pool("web")
    web.stop(rig.world.now())
    rig.demand("web", 900)
    rig.run(agent, minutes=10)
    assert rig.size("web") == 4
    assert rig.requests().get("UpdateInstancePool", 0) == 0
    assert seen.codes("web")[-1] == "pool_stopped"
    assert rows(agent)[-1]["pool_status"] == "warning"

    web.start(rig.world.now())
    rig.run(agent, minutes=15)
    assert rig.size("web") > 4


def test_what_a_pool_got_of_what_it_wanted_counts(rig: Rig) -> None:
    """Four are wanted and there is room for three: three are told to run, and growth waits."""
    rig.add_pool("web", size=2, demand=190, retry_seconds=60)
    agent, _ = start(rig)
    rig.break_with(shortages={"web": Shortage(instances=3)})
    rig.run(agent, minutes=6)
    last = rows(agent)[-1]
    assert (last["current_instances"], last["active_instances"]) == (4, 3)
    assert last["pool_status"] == "warning"
    writes = rig.requests()["UpdateInstancePool"]
    rig.run(agent, minutes=4)
    assert rig.requests()["UpdateInstancePool"] == writes, "nothing is asked for while it fills"

    rig.break_with()
    rig.run(agent, minutes=5)
    last = rows(agent)[-1]
    assert (last["current_instances"], last["active_instances"]) == (4, 4)
