"""Replays: the pool model, the three scalers, the scores, and that the engine is the real one."""

import math
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.config.loader import load
from shared.config.models import Limits
from shared.engine.decide import decide
from shared.engine.model import Decision, Memory, Observation
from shared.engine.plan import Plan
from shared.replay.engine import EngineScaler, replayable
from shared.replay.hpa import HpaRule, HpaScaler
from shared.replay.native import NativeRule, NativeScaler
from shared.replay.pool import SimulatedPool, World
from shared.replay.run import Meter, Run, Wish, replay
from shared.replay.score import score, score_to_json
from shared.replay.trace import Trace

MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 5, tzinfo=UTC)
LIMITS = Limits(min=1, max=50)

CPU = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}"
TOTAL = (
    "{name: queue, type: target_tracking, metric: Depth, namespace: my_app,"
    " per_instance: true, target: 60}"
)
BUSY = (
    "{name: busy, type: step, metric: CpuUtilization,"
    " scale_out: {for: 3m, steps: [{above: 80, add: 2}]},"
    " scale_in: {for: 5m, steps: [{below: 30, remove: 1}]}}"
)
OTHER = "{name: latency, type: target_tracking, metric: Latency, namespace: my_app, target: 5}"


def plan(*policies: str, pool: str = "", rest: str = "") -> Plan:
    text = f"""
version: 1
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.web
    compartment_id: ocid1.compartment.oc1..example
    region: eu-frankfurt-1
    limits: {{min: 1, max: 50}}
    policies: [{", ".join(policies)}]
    {pool}
{rest}
"""
    config, _ = replayable(load(text), "web")
    return Plan.of(config, "web")


def trace(demand: list[float]) -> Trace:
    return Trace(START, MINUTE, tuple(demand), MINUTE)


def engine_run(
    ready: Plan, demand: list[float], world: World, start: int, decider: Callable[
        [Plan, Observation, Memory], Decision
    ] = decide,
) -> Run:  # fmt: skip
    recorded = trace(demand)
    return replay(recorded, world, EngineScaler(ready, recorded, world.lag, decider), start)


class Scripted:
    """A scaler that follows a script and notes what it saw."""

    def __init__(self, script: dict[int, int]) -> None:
        self.script = script
        self.readable: list[int] = []

    def wish(self, step: int, now: datetime, pool: SimulatedPool, meter: Meter) -> Wish | None:
        self.readable.append(meter.readable)
        to = self.script.get(step)
        return None if to is None else Wish(to, "script", f"at {now:%H:%M} from {pool.size}")


# the pool model ----------------------------------------------------------------------------------


def test_new_instances_cost_at_once_and_serve_after_they_booted() -> None:
    run = replay(trace([100.0] * 8), World(100.0), Scripted({2: 4}), 1)
    assert run.sizes == [1, 1, 4, 4, 4, 4, 4, 4]
    assert run.running == [1, 1, 1, 1, 1, 4, 4, 4]


def test_removed_instances_are_gone_at_once() -> None:
    run = replay(trace([100.0] * 4), World(100.0), Scripted({2: 1}), 3)
    assert run.sizes == run.running == [3, 3, 1, 1]


def test_a_scaling_pool_refuses_other_sizes() -> None:
    run = replay(trace([100.0] * 7), World(100.0), Scripted({1: 4, 2: 6, 3: 1, 4: 5}), 2)
    assert run.sizes == [2, 4, 4, 4, 5, 5, 5]
    assert [(move.before, move.to) for move in run.resizes] == [(2, 4), (4, 5)]


def test_metrics_can_be_read_only_after_the_lag() -> None:
    scaler = Scripted({})
    replay(trace([1.0] * 5), World(100.0, lag=2 * MINUTE), scaler, 1)
    assert scaler.readable == [0, 0, 0, 1, 2]


NEEDS = {
    "nothing needs nothing": (0.0, 0),
    "a little needs one": (0.1, 1),
    "exactly at the line needs no more": (80.0, 1),
    "just above the line needs another": (80.1, 2),
    "rounding does not invent an instance": (100 * 0.8 * 3, 3),
}


@pytest.mark.parametrize("case", NEEDS)
def test_how_many_instances_demand_needs(case: str) -> None:
    demand, needed = NEEDS[case]
    assert World(100.0).needed(demand) == needed


# the scores --------------------------------------------------------------------------------------


def test_scores_of_a_run_that_can_be_checked_by_hand() -> None:
    """Capacity 100, line 80: the needs are 1, 1, 3, 3, 0; what runs is 1, 1, 2, 4, 4."""
    run = Run(trace([80, 80, 240, 240, 0]), World(100.0), [1, 1, 4, 4, 4], [1, 1, 2, 4, 4], [])
    told = score_to_json(score(run))
    assert told["instance_hours"] == pytest.approx(14 / 60, abs=1e-4)
    assert told["needed_instance_hours"] == pytest.approx(8 / 60, abs=1e-4)
    assert told["minutes_under_target"] == 1
    assert told["share_under_target"] == 0.2
    assert told["minutes_saturated"] == 1
    assert told["over_provisioned_instance_hours"] == pytest.approx(5 / 60, abs=1e-4)
    assert told["elasticity"] == {
        "accuracy_under": pytest.approx(100 * (1 / 3) / 5, abs=1e-4),
        "accuracy_over": pytest.approx(100 * (1 / 3 + 4) / 5, abs=1e-4),
        "time_share_under": 20.0,
        "time_share_over": 40.0,
    }


def test_the_parts_of_a_run_add_up_to_the_whole() -> None:
    demand = [50.0 + 40 * math.sin(minute / 30) for minute in range(600)]
    run = engine_run(plan(CPU), demand, World(20.0), 3)
    whole, first, second = score(run), score(run, 0, 250), score(run, 250)
    assert first.instance_hours + second.instance_hours == pytest.approx(whole.instance_hours)
    assert first.minutes_under_target + second.minutes_under_target == whole.minutes_under_target
    assert first.resizes_out + second.resizes_out == whole.resizes_out > 0


# the engine in a replay --------------------------------------------------------------------------


def test_a_jump_of_demand_is_answered_without_overshoot() -> None:
    """Need jumps from 4 to 8, metrics are 2 min late and instances boot for 3."""
    run = engine_run(plan(CPU), [240.0] * 30 + [480.0] * 40, World(100.0), 4)
    assert max(run.sizes) == 8
    assert run.sizes[-1] == 8


def test_demand_beyond_what_runs_is_followed_in_steps_as_it_can_be_seen() -> None:
    """Utilisation is capped at 100 %, so what lies beyond is seen when instances have come."""
    run = engine_run(plan(CPU), [60.0] * 20 + [1200.0] * 60, World(100.0), 1)
    assert run.sizes[-1] == 20
    assert [move.to for move in run.resizes] == sorted({move.to for move in run.resizes})


def test_totals_are_seen_as_they_are() -> None:
    run = engine_run(plan(TOTAL), [60.0] * 20 + [600.0] * 60, World(100.0), 1)
    assert run.sizes[-1] == 10


def test_policies_with_longer_windows_see_their_means() -> None:
    five = CPU.replace("target:", "interval: 5m, target:")
    run = engine_run(plan(five), [240.0] * 30 + [480.0] * 60, World(100.0), 4)
    assert run.sizes[-1] == 8
    first = run.resizes[0]
    assert first.at - START >= timedelta(minutes=32)


def test_schedules_and_limits_take_part() -> None:
    rest = 'schedules: [{name: day, start: "01:00", end: "02:00", target_instances: 7}]'
    run = engine_run(plan(CPU, rest=rest), [60.0] * 180, World(100.0), 1)
    assert (run.sizes[59], run.sizes[60], run.sizes[119]) == (1, 7, 7)
    assert run.sizes[-1] == 1
    assert run.resizes[0].code == "below_floor"


def test_policies_that_do_not_follow_from_demand_are_named_and_left_out() -> None:
    text = f"""
version: 1
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.web
    compartment_id: ocid1.compartment.oc1..example
    region: eu-frankfurt-1
    mode: observe
    policies: [{CPU}, {OTHER}, {BUSY}, {TOTAL}]
overrides: [{{pool: web, target_instances: 5, until: 2030-01-01T00:00:00Z, reason: test}}]
"""
    usable, skipped = replayable(load(text), "web")
    assert skipped == ["latency"]
    pool = usable.pool("web")
    assert pool is not None
    assert [policy.name for policy in pool.policies] == ["cpu", "busy", "queue"]
    assert pool.mode == "active"
    assert usable.overrides == []


def test_windows_that_do_not_fit_the_steps_are_told() -> None:
    odd = CPU.replace("target:", "interval: 90s, target:")
    with pytest.raises(ValueError, match=r"policy cpu: its metric windows of 0:01:30"):
        engine_run(plan(odd), [1.0] * 10, World(100.0), 1)


@pytest.mark.parametrize(
    "policies",
    [
        (CPU,),
        (CPU.replace("}", ", demand: {percentile: 90, window: 20m}}"),),
        (CPU.replace("}", ", interval: 5m, headroom: 1, demand: {percentile: 50, window: 1h}}"),),
        (BUSY, TOTAL),
    ],
    ids=["target tracking", "demand percentile", "longer windows", "step and total"],
)
def test_a_replay_is_decide_itself_fed_with_its_own_memory(policies: tuple[str, ...]) -> None:
    """On 100 random ticks the decision is the same when everything is computed anew."""
    chance = random.Random(20)
    demand = [max(0.0, 300 + 200 * math.sin(i / 200) + chance.gauss(0, 30)) for i in range(600)]
    ticks: list[tuple[Observation, Memory, Decision]] = []

    def noting(ready: Plan, seen: Observation, memory: Memory) -> Decision:
        decision = decide(ready, seen, memory)
        ticks.append((seen, memory, decision))
        return decision

    office = 'schedules: [{name: office, start: "01:10", end: "04:20", target_instances: 6}]'
    stale = "stale_after: 12m"
    engine_run(plan(*policies, pool=stale, rest=office), demand, World(60.0), 5, noting)
    assert len(ticks) == len(demand)
    another = plan(*policies, pool=stale, rest=office)
    for seen, memory, decision in chance.sample(ticks, 100):
        assert decide(another, seen, memory) == decision
        assert decide(plan(*policies, pool=stale, rest=office), seen, memory) == decision


@pytest.mark.slow
def test_thirty_days_replay_in_a_few_seconds_with_full_reasons() -> None:
    """The bar is 3 s on an idle machine; a busy one gets some slack."""
    chance = random.Random(30)
    demand = [max(1.0, 500 + 300 * math.sin(i / 229) + chance.gauss(0, 40)) for i in range(43_200)]
    began = time.process_time()
    run = engine_run(plan(CPU), demand, World(60.0), 8)
    assert time.process_time() - began < 6
    assert len(run.resizes) > 100


# OCI's own algorithm -----------------------------------------------------------------------------


def native(demand: list[float], start: int, rule: NativeRule | None = None) -> Run:
    scaler = NativeScaler(rule or NativeRule(above=70, below=30), LIMITS, MINUTE)
    return replay(trace(demand), World(100.0), scaler, start)


def test_native_waits_for_three_minutes_above_and_then_for_boot_and_cooldown() -> None:
    """Minutes 10, 11, 12 are above; they can be read at 15; RUNNING at 18; again at 23."""
    run = native([100.0] * 10 + [1000.0] * 30, 2)
    assert [(move.at - START) // MINUTE for move in run.resizes[:3]] == [15, 23, 31]
    assert [move.to for move in run.resizes[:3]] == [3, 4, 5]


def test_native_does_nothing_on_two_minutes_above() -> None:
    assert native([100.0] * 10 + [1000.0] * 2 + [100.0] * 20, 2).resizes == []


def test_native_removes_its_step_and_stops_at_the_limits() -> None:
    run = native([20.0] * 60, 4, NativeRule(above=70, below=30, add=1, remove=2))
    assert [move.to for move in run.resizes] == [2, 1]
    first, second = (move.at for move in run.resizes)
    assert second - first == timedelta(minutes=6)  # seen RUNNING a minute later, then 300 s


def test_native_never_cools_down_for_less_than_five_minutes() -> None:
    rule = NativeRule(above=70, below=30, cooldown=timedelta(seconds=10))
    run = native([100.0] * 10 + [1000.0] * 30, 2, rule)
    assert [(move.at - START) // MINUTE for move in run.resizes[:2]] == [15, 23]


# the Kubernetes HPA ------------------------------------------------------------------------------


def hpa(demand: list[float], start: int, rule: HpaRule | None = None) -> Run:
    return replay(trace(demand), World(100.0), HpaScaler(rule or HpaRule(), LIMITS, MINUTE), start)


def test_the_hpa_holds_inside_its_tolerance() -> None:
    assert hpa([4 * 66.0] * 30, 4).resizes == []


def test_the_hpa_grows_in_proportion() -> None:
    run = hpa([240.0] * 10 + [360.0] * 30, 4)
    assert run.resizes[0].to == 6
    assert run.sizes[-1] == 6


def test_the_hpa_at_most_doubles_or_adds_four() -> None:
    assert hpa([100.0] * 10 + [5000.0] * 10, 1).resizes[0].to == 2
    assert hpa([1000.0] * 30, 10).resizes[0].to == 17
    assert hpa([100.0] * 30, 1, HpaRule(target=10)).resizes[0].to == 5


def test_the_hpa_counts_instances_without_metrics_as_idle_when_growing() -> None:
    """What has just booted is not in the metrics yet; the old ones' load must not be multiplied."""
    run = hpa([240.0] * 30 + [480.0] * 40, 4)
    assert max(run.sizes) == 8


def test_the_hpa_shrinks_to_the_largest_recommendation_of_five_minutes() -> None:
    run = hpa([240.0] * 20 + [60.0] * 20, 4)
    assert [move.to for move in run.resizes] == [1]
    assert (run.resizes[0].at - START) // MINUTE == 27
