"""What an agent does when something around it breaks. Numbers are those of docs/faults.md."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from agent.service import Agent
from simulator.faults import Rule
from tests.agent.rig import Decisions, Rig, config_yaml, pool_yaml

CALM = "{scale_out: 0s, scale_in: 0s}"


def start(rig: Rig, *pools: str, **settings: Any) -> tuple[Agent, Decisions]:
    seen = Decisions(rig.world)
    return rig.agent(config_yaml(*pools), on_decision=seen, **settings), seen


def events(agent: Agent) -> list[str]:
    records = agent.outbox.batch(10_000, 10**8).records
    return [r["scaling_event"] for r in records if r.get("scaling_event")]


def statuses(agent: Agent) -> list[str]:
    records = agent.outbox.batch(10_000, 10**8).records
    return [r["pool_status"] for r in records if r["kind"] == "pool_analytics"]


def test_fault_34_throttled_metrics_are_asked_again_and_decided_anew(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(rules=[Rule(operation="SummarizeMetricsData", status=429, count=12)])
    rig.run(agent, minutes=6)
    assert rig.size("web") == 4


def test_fault_35_a_write_without_answer_is_read_back_and_not_repeated(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(rules=[Rule(operation="UpdateInstancePool", lost_reply=True, count=1)])
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert rig.requests()["UpdateInstancePool"] == 1
    assert events(agent) == ["SCALE_OUT"]


def test_fault_35_a_write_that_never_arrived_is_made_at_the_next_tick(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(rules=[Rule(operation="UpdateInstancePool", lost_request=True, count=1)])
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert events(agent).count("SCALE_OUT") == 1


def test_fault_35_a_server_error_on_a_write_is_read_back_too(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(rules=[Rule(operation="UpdateInstancePool", status=503, count=2)])
    rig.run(agent, minutes=5)
    assert rig.size("web") == 4


@pytest.mark.slow
def test_fault_36_no_host_capacity_as_500_lets_growth_wait_for_five_minutes(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, seen = start(rig, pool_yaml("web"))
    rule = Rule(
        operation="UpdateInstancePool",
        status=500,
        code="InternalError",
        message="Out of host capacity.",
    )
    rig.break_with(rules=[rule])
    rig.run(agent, minutes=6)
    assert rig.requests()["UpdateInstancePool"] <= 2, "not one call for each tick"
    assert "blocked_capacity" in seen.codes("web")
    assert "CAPACITY_ERROR" in events(agent)
    assert "warning" in statuses(agent)

    rig.break_with()
    rig.run(agent, minutes=15)
    assert rig.size("web") == 4


@pytest.mark.slow
def test_fault_36_a_failed_work_request_lets_growth_wait_and_proof_ends_it(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190, retry_seconds=60)
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(shortages={"web": {"instances": 3}})
    rig.run(agent, minutes=6)
    backoff = agent.state.get(rig.world.pool("web").id).backoff
    assert backoff.capacity_failures >= 1
    assert backoff.code == "OutOfCapacity"
    assert "CAPACITY_ERROR" in events(agent)
    records = agent.outbox.batch(10_000, 10**8).records
    told = [r["scaling_reason"] for r in records if r.get("scaling_event") == "CAPACITY_ERROR"]
    assert "OutOfCapacity: Out of host capacity" in told[0], "the work request's own words"

    rig.break_with()
    rig.run(agent, minutes=40)
    assert agent.state.get(rig.world.pool("web").id).backoff.capacity_failures == 0
    assert rig.size("web") == 4


@pytest.mark.slow
@pytest.mark.parametrize("code", ["LimitExceeded", "QuotaExceeded"])
def test_fault_37_limits_and_quotas_back_off_from_5_to_30_minutes(rig: Rig, code: str) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(rules=[Rule(operation="UpdateInstancePool", status=400, code=code)])
    rig.run(agent, minutes=75)
    tries = [e.at for e in rig.world.requests.entries if e.operation == "UpdateInstancePool"]
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert [round(gap / timedelta(minutes=1)) for gap in gaps] == [5, 10, 20, 30]


def test_fault_37_growth_waits_and_shrinking_does_not(rig: Rig) -> None:
    rig.add_pool("web", size=4, demand=380)
    pool = pool_yaml("web", stabilization=CALM, cooldown=CALM)
    agent, _ = start(rig, pool)
    rule = Rule(operation="UpdateInstancePool", status=400, code="LimitExceeded", count=1)
    rig.break_with(rules=[rule])
    rig.run(agent, minutes=3)
    assert rig.size("web") == 4
    rig.demand("web", 60)
    rig.run(agent, minutes=4)
    assert rig.size("web") < 4


@pytest.mark.slow
@pytest.mark.parametrize("lag", [30, 60, 120])
def test_fault_38_lists_that_lag_behind_do_not_make_it_oscillate(rig: Rig, lag: int) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, _ = start(rig, pool_yaml("web", stabilization=CALM, cooldown=CALM))
    rig.break_with(list_lag_seconds=lag)
    rig.run(agent, minutes=15)
    writes = [json.loads(e.detail or "") for e in rig.world.requests.entries if e.method == "PUT"]
    assert writes == [{"size": 4}]
    assert rig.size("web") == 4


def test_fault_39_somebody_elses_write_in_between_is_never_overwritten(rig: Rig) -> None:
    pool = rig.add_pool("web", size=2, demand=190)
    agent, seen = start(rig, pool_yaml("web"))
    rig.break_with(rules=[Rule(operation="UpdateInstancePool", status=412, count=1)])
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert "SCALE_FAILED" not in events(agent)
    assert "blocked_writes" not in seen.codes("web")
    assert pool.size == 4


@pytest.mark.slow
def test_fault_40_a_pool_that_scales_for_ever_is_stuck_and_left_alone(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, seen = start(rig, pool_yaml("web"))
    rig.run(agent, minutes=2)
    rig.break_with(stuck_pools=["web"])
    rig.run(agent, minutes=25)
    assert seen.codes("web")[-1] == "pool_stuck"
    assert statuses(agent)[-1] == "error"
    assert rig.requests()["UpdateInstancePool"] == 1


def test_fault_41_a_deleted_pool_is_missing_and_the_others_go_on(rig: Rig) -> None:
    rig.add_pool("gone", size=2)
    rig.add_pool("web", size=2, demand=190)
    agent, seen = start(rig, pool_yaml("gone"), pool_yaml("web"))
    rig.world.pool("gone").terminate(rig.world.now())
    rig.run(agent, minutes=4)
    assert seen.codes("gone")[-1] == "pool_missing"
    assert rig.size("web") == 4


def test_fault_41_a_compartment_without_permission_is_forbidden(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, seen = start(rig, pool_yaml("web"))
    rig.break_with(forbidden={"ListInstancePools": 404})
    rig.run(agent, minutes=2)
    assert seen.codes("web")[-1] == "pool_forbidden"
    assert agent.health().error is not None
    rig.break_with()
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert agent.health().error is None


@pytest.mark.slow
def test_fault_41_lost_write_permission_backs_off_and_recovers(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, seen = start(rig, pool_yaml("web"))
    rig.break_with(forbidden={"UpdateInstancePool": 404})
    rig.run(agent, minutes=20)
    assert rig.requests()["UpdateInstancePool"] <= 5
    assert "blocked_writes" in seen.codes("web")
    assert "SCALE_FAILED" in events(agent)
    rig.break_with()
    rig.run(agent, minutes=20)
    assert rig.size("web") == 4


def test_fault_42_a_size_that_somebody_else_set_is_adopted_and_told(rig: Rig) -> None:
    pool = rig.add_pool("web", size=4, demand=200)
    agent, _ = start(rig, pool_yaml("web"))
    rig.run(agent, minutes=4)
    pool.resize(7, rig.world.now())
    rig.run(agent, minutes=2)
    assert events(agent) == ["EXTERNAL_CHANGE"]
    assert rig.requests().get("UpdateInstancePool", 0) == 0, "it is not fought at once"


@pytest.mark.slow
def test_fault_45_without_metrics_nothing_shrinks_and_bounds_still_hold(rig: Rig) -> None:
    rig.add_pool("web", size=4, demand=10)
    agent, seen = start(rig, pool_yaml("web", limits="{min: 3, max: 20}"))
    rig.break_with(silent=["web"])
    rig.run(agent, minutes=12)
    assert rig.size("web") == 4
    assert seen.codes("web")[-1] in ("on_missing_hold", "no_data", "metric_stale")
    rig.world.pool("web").resize(1, rig.world.now())
    rig.run(agent, minutes=3)
    assert rig.size("web") == 3, "limits.min needs no metrics"


def test_fault_46_late_samples_are_read_when_they_arrive(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent, _ = start(rig, pool_yaml("web", metric_lag="2m"))
    rig.break_with(ingestion_lag_seconds=150)
    rig.run(agent, minutes=9)
    assert rig.size("web") == 4


def test_fault_47_nan_is_refused_counted_and_never_written(rig: Rig) -> None:
    rig.add_pool("web", size=4, demand=10)
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(nan=["web"])
    rig.run(agent, minutes=10)
    assert rig.size("web") == 4
    records = agent.outbox.batch(10_000, 10**8).records
    rows = [r for r in records if r["kind"] == "pool_analytics"]
    assert "avg_cpu_utilization" not in rows[-1], "unknown, not zero"


def test_fault_48_one_silent_instance_of_many_does_not_blind_it(rig: Rig) -> None:
    pool = rig.add_pool("web", size=4, demand=390)
    rig.world.now()
    agent, _ = start(rig, pool_yaml("web"))
    rig.break_with(silent=[pool.members[0].id])
    rig.run(agent, minutes=4)
    assert rig.size("web") > 4


def test_fault_41_a_failing_compartment_does_not_stop_the_others(rig: Rig) -> None:
    other = "ocid1.compartment.oc1..elsewhere"
    rig.add_pool("far", size=2, demand=190, region="us-ashburn-1", compartment_id=other)
    rig.add_pool("web", size=2, demand=190)
    far = pool_yaml(
        "far",
        instance_pool_id=rig.world.pool("far").id,
        region="us-ashburn-1",
        compartment_id="ocid1.compartment.oc1..unknown",
    )
    agent, seen = start(rig, far, pool_yaml("web"))
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert seen.codes("far")[-1] in ("pool_forbidden", "pool_missing")


def test_fault_15_and_16_a_clock_that_is_set_bypasses_no_cooldown(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=160)
    agent, seen = start(rig, pool_yaml("web", cooldown="{scale_out: 30m, scale_in: 30m}"))
    rig.run(agent, minutes=3)
    assert rig.size("web") == 4
    rig.demand("web", 700)
    jump = timedelta(days=1)
    now = rig.world.now()
    agent.tick(now + jump)
    agent.tick(now + jump + timedelta(seconds=30))
    assert rig.size("web") == 4
    agent.tick(now + timedelta(seconds=60))
    assert rig.size("web") == 4
    assert seen.rows


def test_fault_14_and_8_a_state_directory_that_is_gone_bad_starts_anew(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=90)
    agent, _ = start(rig, pool_yaml("web"))
    rig.run(agent, minutes=2)
    agent.close()
    for path in rig.settings.state_dir.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\x00\xff" * 50)
    rig.demand("web", 190)
    again, _ = start(rig, pool_yaml("web"))
    rig.run(again, minutes=5)
    assert rig.size("web") == 4
    problems = [
        r
        for r in again.outbox.batch(10_000, 10**8).records
        if r.get("event_type") == "AGENT_PROBLEM"
    ]
    assert problems
