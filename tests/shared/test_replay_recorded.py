"""Replays of what a pool has lived through: demand read back, policies named, time bounded."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.config.loader import load
from shared.replay.curves import demand_curve, size_curve
from shared.replay.recorded import (
    Recorded,
    approximated,
    demand_of,
    feeds_on_cpu,
    pace_of,
    rerun,
)
from shared.replay.trace import Trace

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CPU = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}"
P90 = "{name: p90, type: target_tracking, metric: CpuUtilization, statistic: p90, target: 60}"
MEMORY = "{name: memory, type: target_tracking, metric: MemoryUtilization, target: 60}"
QUEUE = (
    "{name: queue, type: target_tracking, namespace: my_app, metric: Depth, per_instance: true,"
    " target: 60}"
)


def config(*policies: str, limits: str = "{min: 1, max: 20}", more: str = "") -> str:
    return f"""\
version: 1
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.web
    compartment_id: ocid1.compartment.oc1..demo
    region: eu-frankfurt-1
    limits: {limits}
    policies: [{", ".join(policies)}]
{more}"""


def history(*cpu: float | None, size: int = 4, width: timedelta = MINUTE) -> list[Recorded]:
    return [Recorded(START + index * width, size, size, value) for index, value in enumerate(cpu)]


def busy_then_idle() -> Trace:
    """Two hours at 90 % of four instances, then four hours at 10 %."""
    return demand_of(history(*[90.0] * 120, *[10.0] * 240), MINUTE)


def test_demand_is_utilisation_times_what_ran() -> None:
    trace = demand_of(history(50.0, 50.0, 50.0), MINUTE)
    assert trace.demand == (2.0,)  # from the middle of the first minute to that of the last
    assert trace.start == START + MINUTE


def test_the_mean_of_a_coarse_step_stands_in_its_middle() -> None:
    trace = demand_of(history(0.0, 100.0, width=timedelta(minutes=5)), timedelta(minutes=5))
    assert trace.start == START + timedelta(minutes=3)
    assert trace.demand == pytest.approx((0.4, 1.2, 2.0, 2.8))


def test_what_is_not_known_is_a_gap_and_never_idle() -> None:
    points = history(50.0, 50.0, *[None] * 10, 50.0, 50.0)
    trace = demand_of(points, MINUTE)
    assert set(trace.demand) == {2.0}
    assert trace.filled == 11


@pytest.mark.parametrize("cpu", [(), (50.0,), (None, None, None), (None, 50.0)])
def test_a_history_that_knows_nothing_is_refused(cpu: tuple[float | None, ...]) -> None:
    with pytest.raises(ValueError, match="does not know the CPU utilisation"):
        demand_of(history(*cpu), MINUTE)


def test_the_engine_scales_out_and_in_over_it() -> None:
    done = rerun(load(config(CPU)), "web", busy_then_idle(), 4)
    assert done.run.sizes[0] == 4
    assert max(done.run.sizes) == 6  # 3.6 instances' worth at 60 %
    assert done.run.sizes[-1] == 1
    assert (done.pace, done.skipped) == (MINUTE, ())
    assert done.score.resizes_out >= 1
    assert size_curve(done.run)[0] == (START + MINUTE, 4, 4)


def test_other_limits_give_another_outcome() -> None:
    trace = busy_then_idle()
    wide = rerun(load(config(CPU)), "web", trace, 4).score
    tight = rerun(load(config(CPU, limits="{min: 1, max: 4}")), "web", trace, 4).score
    assert tight.instance_hours < wide.instance_hours
    assert tight.minutes_under_target > wide.minutes_under_target


def test_policies_on_other_metrics_are_skipped_and_named() -> None:
    found = load(config(CPU, MEMORY, QUEUE))
    assert rerun(found, "web", busy_then_idle(), 4).skipped == ("memory", "queue")
    assert [feeds_on_cpu(policy) for policy in found.pools[0].policies] == [True, False, False]
    with pytest.raises(ValueError, match=r"CpuUtilization alone \(memory, queue\)"):
        rerun(load(config(MEMORY, QUEUE)), "web", busy_then_idle(), 4)


def test_policies_on_single_instances_are_told_to_be_approximated() -> None:
    assert approximated(load(config(CPU, P90)), "web") == ["p90"]


def test_schedules_take_part_and_overrides_do_not() -> None:
    more = """\
schedules: [{name: all-day, start: "00:00", end: "24:00", target_instances: 7}]
overrides: [{pool: web, target_instances: 15, until: 2030-01-01T00:00:00Z, reason: test}]
"""
    done = rerun(load(config(more=more)), "web", busy_then_idle(), 4)
    assert set(done.run.sizes) == {7}


CASES = [(2200, 1), (2201, 2), (4400, 2), (7 * 1440, 5), (14 * 1440, 10), (60 * 1440, 60)]


@pytest.mark.parametrize(("minutes", "pace"), CASES)
def test_a_longer_time_is_decided_less_often(minutes: int, pace: int) -> None:
    trace = Trace(START, MINUTE, (1.0,) * minutes, MINUTE)
    assert pace_of(trace) == pace * MINUTE


def test_a_week_still_scales_both_ways_and_is_watched() -> None:
    day = [90.0] * 144 + [10.0] * 144
    width = timedelta(minutes=5)
    trace = demand_of(history(*(day * 7), width=width), width)
    decisions: list[None] = []
    done = rerun(load(config(CPU)), "web", trace, 4, lambda: decisions.append(None))
    assert done.pace == timedelta(minutes=5)
    assert len(decisions) == -(-len(trace.demand) // 5)
    assert {min(done.run.sizes), max(done.run.sizes)} == {1, 6}


def test_a_watch_that_raises_ends_it() -> None:
    def stop() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        rerun(load(config(CPU)), "web", busy_then_idle(), 4, stop)


def test_a_curve_of_demand_has_at_most_so_many_points() -> None:
    trace = Trace(START, MINUTE, (1.0, 3.0, 5.0, 7.0, 9.0), MINUTE)
    assert demand_curve(trace, 3) == [
        (START, 2.0),
        (START + 2 * MINUTE, 6.0),
        (START + 4 * MINUTE, 9.0),
    ]
