"""Killed at the worst moment: one step only, and everything goes on where it was."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.oci_pools import OciPools
from agent.pools import PoolRef
from agent.service import Agent
from agent.sources.oci_monitoring import OciMonitoring
from agent.surroundings import Ports
from tests.agent.rig import Decisions, Rig, config_yaml, pool_yaml
from tests.fakes import FakeCentral

STEPS = (
    "[{name: cpu, type: step, metric: CpuUtilization,"
    " scale_out: {for: 1m, steps: [{above: 70, add: 1}]},"
    " scale_in: {for: 1m, steps: [{below: 20, remove: 1}]}}]"
)


class Killed(BaseException):
    """The process ends here: no cleanup of the agent's own runs."""


class DyingPools(OciPools):
    """Dies right before or right after a write reaches OCI."""

    when: str | None = None

    def resize(self, ref: PoolRef, to: int, *, etag: str, token: str) -> None:
        if self.when == "before":
            raise Killed
        super().resize(ref, to, etag=etag, token=token)
        if self.when == "after":
            raise Killed


def agent_with(rig: Rig, central: FakeCentral, when: str | None, yaml: str) -> Agent:
    path = rig.home / "config.yaml"
    path.write_text(yaml)
    around = rig.surroundings()
    client = rig.client(rig.settings, around)
    pools = DyingPools(client)
    pools.when = when
    agent = Agent(
        replace(rig.settings, config_file=path),
        around,
        Ports(pools, OciMonitoring(client), central),
    )
    agent.start()
    return agent


def tick_until_killed(rig: Rig, agent: Agent) -> None:
    for _ in range(20):
        rig.world.advance(30)
        try:
            agent.tick()
        except Killed:
            return
    pytest.fail("nothing was ever written")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.fault(11)
def test_a_kill_around_the_write_makes_one_step_and_one_record(rig: Rig, when: str) -> None:
    rig.add_pool("web", size=4, demand=380)
    yaml = config_yaml(pool_yaml("web", policies=STEPS, cooldown="{scale_out: 10m, scale_in: 10m}"))
    central = FakeCentral()
    first = agent_with(rig, central, when, yaml)
    tick_until_killed(rig, first)
    assert rig.size("web") == (5 if when == "after" else 4)

    second = agent_with(rig, central, None, yaml)
    rig.run(second, minutes=4)

    assert rig.size("web") == 5, "the cooldown of the one step holds"
    assert rig.requests()["UpdateInstancePool"] == 1
    while second.beats is not None and second.outbox.pending():
        second.beat()
    steps = [r for r in central.records("pool_analytics") if r.get("scaling_event") == "SCALE_OUT"]
    assert len(steps) == 1
    assert steps[0]["decision"]["to"] == 5


@pytest.mark.fault(11)
def test_a_kill_between_outbox_and_journal_tells_the_step_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.add_pool("web", size=4, demand=380)
    yaml = config_yaml(pool_yaml("web", policies=STEPS, cooldown="{scale_out: 10m, scale_in: 10m}"))
    central = FakeCentral()
    first = agent_with(rig, central, None, yaml)

    def die(*_: object, **__: object) -> None:
        raise Killed

    # The instant between two lines of the agent cannot be reached from outside.
    monkeypatch.setattr("agent.act.Actor.close", die)
    tick_until_killed(rig, first)
    monkeypatch.undo()
    while first.outbox.pending():
        first.beat()

    second = agent_with(rig, central, None, yaml)
    rig.run(second, minutes=4)
    while second.outbox.pending():
        second.beat()

    rows = central.records("pool_analytics")
    assert [r["scaling_event"] for r in rows if "scaling_event" in r] == ["SCALE_OUT"]
    assert rig.size("web") == 5


@pytest.mark.slow
def test_cooldown_and_stabilization_go_on_after_a_restart(rig: Rig) -> None:
    rig.add_pool("web", size=6, demand=270)
    yaml = config_yaml(
        pool_yaml(
            "web",
            stabilization="{scale_out: 0s, scale_in: 10m}",
            cooldown="{scale_out: 0s, scale_in: 2m}",
        )
    )

    rows = Decisions(rig.world)
    agent = rig.agent(yaml, on_decision=rows)
    rig.run(agent, minutes=12)
    rig.demand("web", 100)
    begin = rig.world.now()
    for _ in range(8):
        rig.run(agent, minutes=2)
        agent.close()
        agent = rig.agent(yaml, on_decision=rows)
    agent.close()

    shrunk = [at - begin for at, _, _, code in rows.rows if code == "scale_in" and at > begin]
    assert timedelta(minutes=10) <= shrunk[0] <= timedelta(minutes=13)


@pytest.mark.slow
def test_a_restart_alone_starts_no_cooldown_and_forgets_none(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=160)
    yaml = config_yaml(pool_yaml("web", cooldown="{scale_out: 20m, scale_in: 20m}"))
    agent = rig.agent(yaml)
    rig.run(agent, minutes=3)
    assert rig.size("web") == 4
    agent.close()
    rig.demand("web", 600)

    again = rig.agent(yaml)
    rig.run(again, minutes=15)
    assert rig.size("web") == 4, "the cooldown outlives the restart"
    rig.run(again, minutes=8)
    assert rig.size("web") > 4
