"""Members that must stay, pools that somebody else sizes."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest

from agent.compose import build
from agent.home import Home
from agent.oci_pools import OciPools
from agent.service import Agent
from agent.sources.oci_monitoring import OciMonitoring
from agent.surroundings import Ports
from simulator.faults import Rule
from simulator.scenario import AutoscalingSpec
from tests.agent.rig import Decisions, Rig, config_yaml, pool_yaml
from tests.agent.test_faults import events, statuses

CALM = "{scale_out: 0s, scale_in: 0s}"
FAST = {"stabilization": CALM, "cooldown": CALM}


def ids(rig: Rig, pool: str = "web") -> list[str]:
    now = rig.world.now()
    return [member.id for member in rig.world.pool(pool).counted(now)]


@pytest.mark.slow
def test_a_protected_member_stays_and_the_others_go_one_by_one(rig: Rig) -> None:
    pool = rig.add_pool("web", size=5, demand=60)
    leader = pool.members[0].id
    agent = rig.agent(config_yaml(pool_yaml("web", protected=f"[{leader}]", **FAST)))
    rig.run(agent, minutes=25)
    assert rig.size("web") == 2
    assert leader in ids(rig), "the oldest would have gone first"
    assert rig.requests().get("UpdateInstancePool", 0) == 0
    assert rig.requests()["DetachInstancePoolInstance"] == 3
    assert events(agent) == ["SCALE_IN"] * 3
    assert all(member.terminated_at for member in pool.members if member.id not in ids(rig))


def test_growing_needs_no_choice(rig: Rig) -> None:
    pool = rig.add_pool("web", size=2, demand=190)
    agent = rig.agent(config_yaml(pool_yaml("web", protected=f"[{pool.members[0].id}]")))
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert "DetachInstancePoolInstance" not in rig.requests()


@pytest.mark.slow
def test_with_every_member_protected_nothing_goes_and_it_says_why(rig: Rig) -> None:
    pool = rig.add_pool("web", size=3, demand=10)
    everybody = ", ".join(member.id for member in pool.members)
    agent = rig.agent(config_yaml(pool_yaml("web", protected=f"[{everybody}]", **FAST)))
    rig.run(agent, minutes=10)
    assert rig.size("web") == 3
    assert events(agent) == ["PROTECTED"], "told once"


def test_protected_names_that_left_the_pool_change_nothing(rig: Rig) -> None:
    rig.add_pool("web", size=4, demand=60)
    stranger = "ocid1.instance.oc1.eu-frankfurt-1.stranger"
    agent = rig.agent(config_yaml(pool_yaml("web", protected=f"[{stranger}]", **FAST)))
    rig.run(agent, minutes=10)
    assert rig.size("web") == 2
    assert "DetachInstancePoolInstance" not in rig.requests()


def test_the_machine_that_the_agent_runs_on_is_never_removed(rig: Rig) -> None:
    pool = rig.add_pool("web", size=4, demand=60, hosts_this=True)
    own = pool.members[0].id
    settings = rig.settings
    config = rig.home / "config.yaml"
    config.write_text(config_yaml(pool_yaml("web", **FAST)))
    around = rig.surroundings()

    def look_up() -> str:
        found = httpx.get(
            f"{rig.server.url}/opc/v2/instance",
            headers={"authorization": "Bearer Oracle"},
            trust_env=False,
        )
        return str(found.json()["id"])

    home = Home(look_up)
    home.begin()
    client = rig.client(settings, around)
    ports = Ports(OciPools(client), OciMonitoring(client), None, home.instance)
    agent = Agent(settings, around, ports)
    agent.configs.bootstrap(config.read_text(), authoritative=True)
    rig.run(agent, minutes=20)
    assert rig.size("web") == 2
    assert own in ids(rig)


def test_a_real_agent_learns_from_the_metadata_service_where_it_runs(rig: Rig) -> None:
    pool = rig.add_pool("web", size=3, hosts_this=True)
    settings = replace(rig.settings, metadata_url=f"{rig.server.url}/opc/v2")
    agent = build(settings, rig.surroundings())
    assert agent.ticker._parts.actor._own_instance() == pool.members[0].id
    agent.close()


@pytest.mark.parametrize("fault", ["lost_reply", "lost_request"])
def test_fault_35_a_detach_without_answer_is_read_back_and_not_repeated(
    rig: Rig, fault: str
) -> None:
    pool = rig.add_pool("web", size=4, demand=110)
    leader = pool.members[0].id
    agent = rig.agent(config_yaml(pool_yaml("web", protected=f"[{leader}]", **FAST)))
    rule = Rule.model_validate({"operation": "DetachInstancePoolInstance", fault: True, "count": 1})
    rig.break_with(rules=[rule])
    rig.run(agent, minutes=12)
    assert rig.size("web") == 3
    assert [event for event in events(agent) if event != "SCALE_FAILED"] == ["SCALE_IN"]


@pytest.mark.slow
def test_a_native_autoscaling_configuration_keeps_the_agents_hands_off(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    rig.add_pool("free", size=2, demand=190)
    rig.world.add_autoscaling(AutoscalingSpec(pool="web", display_name="theirs"))
    seen = Decisions(rig.world)
    agent = rig.agent(config_yaml(pool_yaml("web"), pool_yaml("free")), on_decision=seen)
    rig.run(agent, minutes=4)
    assert (rig.size("web"), rig.size("free")) == (2, 4)
    assert seen.codes("web")[-1] == "observe"
    assert events(agent).count("NATIVE_AUTOSCALING") == 1
    records = agent.outbox.batch(10_000, 10**8).records
    rows = [r for r in records if r["kind"] == "pool_analytics"]
    (told,) = {r["scaling_reason"] for r in rows if r.get("scaling_event") == "NATIVE_AUTOSCALING"}
    assert "'theirs' is enabled" in told
    assert {r["pool_status"] for r in rows if r["oracle_pool_id"].endswith("web")} == {"error"}

    rig.world.autoscaling.clear()
    rig.run(agent, minutes=15)
    assert rig.size("web") == 4
    assert statuses(agent)[-1] == "healthy"


def test_a_disabled_one_does_not_matter_and_a_missing_permission_stops_nothing(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    rig.world.add_autoscaling(AutoscalingSpec(pool="web", is_enabled=False))
    rig.break_with(forbidden={"ListAutoScalingConfigurations": 404})
    agent = rig.agent(config_yaml(pool_yaml("web")))
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4


@pytest.mark.slow
def test_native_configurations_are_looked_up_every_five_minutes_in_a_quiet_tick(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=90)
    agent = rig.agent(config_yaml(pool_yaml("web")))
    rig.run(agent, minutes=31)
    asked = [
        e.at for e in rig.world.requests.entries if e.operation == "ListAutoScalingConfigurations"
    ]
    gaps = {later - earlier for earlier, later in pairwise(asked[1:])}
    assert gaps == {timedelta(minutes=5)}
    assert {at.second for at in asked[1:]} == {30}
