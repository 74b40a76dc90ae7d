"""Bugs of other autoscalers, each as one test that ours does not have it.

The numbers are those of the study of peers. What belongs to the agent (HTTP, etags, retries) is
tested here by the property of the engine that the agent relies on.
"""

from datetime import UTC, datetime, timedelta

import pytest

from shared.config.models import Schedule
from shared.engine.bounds import bounds_at
from shared.engine.decide import decide
from shared.engine.model import Blocked, LastWrite, Memory, Reading, Resize
from shared.engine.windows import is_open, occurrences
from tests.engine_worlds import (
    EAGER,
    NOON,
    World,
    ago,
    codes,
    cpu,
    decisive,
    plan,
    queue,
    reading_at,
    seen,
    series,
    size_after,
    watched,
    window,
)

BERLIN = "Europe/Berlin"
MINUTE = timedelta(minutes=1)


def schedule(start: str, end: str, **keys: object) -> Schedule:
    return Schedule.model_validate(window("w", start, end, 5, **keys))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def open_minutes(plan_: Schedule, zone: str, start: str, end: str) -> int:
    at, until, count = utc(start), utc(end), 0
    while at < until:
        count += is_open(plan_, zone, at)
        at += MINUTE
    return count


def test_01_a_window_of_working_days_is_not_open_all_weekend() -> None:
    """KEDA, Mon-Fri 06:30 to 22:10: open from Friday 06:30 to Sunday 22:10."""
    office = schedule("06:30", "22:10", days=["mon-fri"])
    weekend = open_minutes(office, "UTC", "2026-01-16T22:10", "2026-01-19T06:30")
    friday = open_minutes(office, "UTC", "2026-01-16T00:00", "2026-01-17T00:00")
    assert (weekend, friday) == (0, 15 * 60 + 40)


def test_02_a_start_in_the_spring_gap_does_not_stretch_the_window() -> None:
    """KEDA, 02:30 to 05:00 daily in Berlin: 26.5 h long around 29 March 2026."""
    night = schedule("02:30", "05:00")
    spans = list(occurrences(night, BERLIN, utc("2026-03-28T12:00"), utc("2026-03-29T12:00")))
    assert spans == [(utc("2026-03-29T01:00"), utc("2026-03-29T03:00"))]
    assert open_minutes(night, BERLIN, "2026-03-28T12:00", "2026-03-29T12:00") == 120


def test_03_the_weekday_of_a_wrapped_window_is_that_of_its_start() -> None:
    """Downscalers test the weekday of now: Saturday 00-06 is lost, Monday 00-06 won."""
    night = schedule("22:00", "06:00", days=["mon-fri"])
    assert is_open(night, "UTC", utc("2026-01-17T03:00"))  # Saturday, of Friday's window
    assert not is_open(night, "UTC", utc("2026-01-19T03:00"))  # Monday, Sunday has none
    assert open_minutes(night, "UTC", "2026-01-12T00:00", "2026-01-19T12:00") == 5 * 8 * 60


def test_04_a_rule_of_one_hour_fires_once_on_every_day_of_the_year() -> None:
    """Custodian, hour 02: no time in spring, two times in autumn."""
    rule = schedule("02:00", "03:30")
    days = list(occurrences(rule, BERLIN, utc("2026-01-01T00:00"), utc("2027-01-01T00:00")))
    assert len(days) == 365
    assert {end - start for start, end in days} == {
        timedelta(minutes=30), timedelta(minutes=90), timedelta(minutes=150),
    }  # fmt: skip


def test_05_equal_start_and_end_are_refused_and_a_missed_start_still_applies() -> None:
    """KEDA sticks on at equal ends; events that fire during a restart are lost elsewhere."""
    with pytest.raises(ValueError, match="start and end are equal"):
        schedule("08:00", "08:00")
    web = plan(schedules=[window("day", "08:00", "18:00", 6)])
    assert size_after(decide(web, seen(2), Memory())) == 6  # the first tick, four hours late


def test_06_a_metric_that_is_gone_blocks_scale_in_only() -> None:
    """Kubernetes 99394: one of two metrics unavailable let the other one scale in."""
    web = plan(cpu(), queue(), **EAGER)
    gone = Reading(error="not available")
    assert size_after(decide(web, seen(cpu=30, queue=gone), watched(web))) == 10
    assert size_after(decide(web, seen(cpu=90, queue=gone), watched(web))) == 15


def test_06b_the_gap_of_one_node_does_not_pin_the_pool() -> None:
    """Kubernetes 127193: one container's gap kept a workload at its maximum for 8 hours."""
    web = plan(cpu(), **EAGER)
    assert size_after(decide(web, seen(10, cpu=series(20, samples=9)), watched(web))) == 5


@pytest.mark.parametrize(
    "reading",
    [
        Reading(error="HTTP 500"),
        Reading(),
        series(float("nan")),
        series(float("inf")),
        series(-5.0),
        series(None),
    ],
    ids=["HTTP 500", "empty", "NaN", "Inf", "negative", "null"],
)
def test_07_an_outage_never_reads_as_idle(reading: Reading) -> None:
    """KEDA 8036 and 7880, nomad 516: errors, negative values and NaN became zero."""
    web = plan(cpu(), **EAGER)
    decision = decide(web, seen(10, cpu=reading), watched(web, 10, need=0))
    assert (size_after(decision), decisive(decision)) == (10, "on_missing_hold")


def test_08_a_failed_query_leaves_the_other_policies_and_the_bounds_at_work() -> None:
    """Nomad: one failed query aborts the evaluation; a pool below min with "hold" stays there."""
    web = plan(cpu(), queue(), limits={"min": 4, "max": 50}, **EAGER)
    failed = Reading(error="HTTP 500")
    assert size_after(decide(web, seen(10, cpu=failed, queue=1500), watched(web))) == 15
    assert size_after(decide(web, seen(2, cpu=failed, queue=failed), watched(web, 2))) == 4
    below = decide(web, seen(2, cpu=60, queue=200), watched(web, 2))
    assert (size_after(below), "below_floor" in codes(below)) == (4, True)


def test_09_a_removal_is_counted_once() -> None:
    """The cluster autoscaler lowers a cached size twice. Ours is the size that OCI shows."""
    web = plan(cpu(), **EAGER)
    first = decide(web, seen(10, cpu=30), watched(web))
    assert size_after(first) == 5
    again = seen(10, cpu=30, last_write=LastWrite(5, NOON), now=NOON + MINUTE)
    unseen = decide(web, again, first.verdict.memory)
    assert (size_after(unseen), decisive(unseen)) == (10, "write_not_visible")
    shown = seen(5, 10, now=NOON + 2 * MINUTE, last_write=LastWrite(5, NOON), cpu=30)
    assert size_after(decide(web, shown, first.verdict.memory)) == 5


def test_10_a_request_that_fails_halfway_neither_hangs_nor_is_asked_again_at_once() -> None:
    """+10 asked, 6 came, the work request failed: back-off, and the next tick counts the 6."""
    web = plan(cpu(), **EAGER)
    asked = watched(web, 20, change="out", changed_at=ago(11), changing=10, counts=((ago(20), 16),))
    block = Blocked(ago(-5), None, "OutOfHostCapacity")
    seen_now = seen(20, 16, cpu=90, blocked=block)
    held = decide(web, seen_now, asked)
    assert (size_after(held), decisive(held)) == (20, "blocked_capacity")
    assert held.verdict.status == "warning"
    assert held.verdict.desired == 20
    after = seen(20, 16, cpu=reading_at(NOON + 6 * MINUTE, 90), now=NOON + 6 * MINUTE)
    later = decide(web, after, held.verdict.memory)
    assert size_after(later) == 24  # 16 × 90 / 60: those that run, not the 20 that were asked for


def test_11_evaluating_faster_than_the_pool_moves_does_not_drain_it() -> None:
    """Nomad 376: each evaluation removed more before the last removal had happened."""
    eager = {**EAGER, "max_step": {"scale_in": 2}}
    world = World(plan(cpu(), **eager), 10, lambda _: 300, boot=5)
    world.memory = watched(world.the_plan, 10, counts=((NOON, 10),), at=None, needs=())
    sizes = world.run(60)
    assert (min(sizes), sizes[-1]) == (5, 5)
    unsettled = decide(
        world.the_plan,
        seen(10, 12, cpu=30),
        watched(world.the_plan, 10, change="in", changed_at=ago(1), changing=2),
    )
    assert (size_after(unsettled), decisive(unsettled)) == (10, "unsettled")


def test_12_after_a_lost_race_the_decision_is_made_anew_from_what_is_there() -> None:
    """An etag mismatch means that somebody else wrote: sizes are absolute and decided again."""
    web = plan(cpu(), **EAGER)
    ours = decide(web, seen(10, cpu=90), watched(web))
    theirs = decide(web, seen(18, 10, cpu=90, now=NOON + MINUTE), ours.verdict.memory)
    assert (size_after(ours), size_after(theirs)) == (15, 18)
    assert theirs.verdict.memory.change == "out"  # their change is followed like our own


def test_13_throttling_is_waited_for_and_visible() -> None:
    """OCI-AutoScale asks again for ever on 429. Ours is told to wait, says so, and then goes on."""
    web = plan(cpu(), **EAGER)
    block = Blocked(None, ago(-1), "TooManyRequests")
    held = decide(web, seen(cpu=90, blocked=block), watched(web))
    assert (size_after(held), decisive(held)) == (10, "blocked_writes")
    assert "TooManyRequests" in held.verdict.reasons[-1].text
    assert [wait.until for wait in held.verdict.waits] == [ago(-1)]
    free = seen(now=NOON + MINUTE, cpu=reading_at(NOON + MINUTE, 90), blocked=block)
    assert size_after(decide(web, free, held.verdict.memory)) == 15


@pytest.mark.parametrize("mode", ["paused", "observe"])
def test_14_enabling_again_enters_through_max_step(mode: str) -> None:
    """GCP jumps to whatever it computed meanwhile."""
    keys = {**EAGER, "max_step": {"scale_out": 3, "scale_in": 2}}
    off, on = plan(cpu(), mode=mode, **keys), plan(cpu(), **keys)
    memory = watched(off, 10)
    for tick in range(20):
        now = NOON + tick * MINUTE
        memory = decide(off, seen(now=now, cpu=reading_at(now, 100)), memory).verdict.memory
    now = NOON + 20 * MINUTE
    decision = decide(on, seen(now=now, cpu=reading_at(now, 100)), memory)
    assert size_after(decision) == 13


@pytest.mark.parametrize("mode", ["paused", "observe"])
def test_15_a_dry_run_leaves_the_state_of_the_live_policy_alone(mode: str) -> None:
    """Nomad 144: a dry run started the cooldown of the real one."""
    keys = {"cooldown": {"scale_out": "5m", "scale_in": "5m"}}
    live, dry = plan(cpu(), **keys), plan(cpu(), mode=mode, **keys)
    before = watched(live, 10, settled_at=ago(4), settled_out_at=ago(4))
    would = decide(dry, seen(cpu=90), before)
    assert not isinstance(would, Resize)
    after = would.verdict.memory
    assert (after.settled_at, after.settled_out_at, after.change) == (ago(4), ago(4), None)
    as_live = decide(live, seen(cpu=90), before).verdict.memory
    assert after.needs == as_live.needs  # the need is remembered all the same


def test_16_lowering_a_starting_size_terminates_nothing() -> None:
    """OCI: lowering `initial` kills nodes. Limits do nothing to a pool that is inside them."""
    before, after = plan(limits={"min": 6, "max": 20}), plan(limits={"min": 2, "max": 20})
    memory = decide(before, seen(6), Memory()).verdict.memory
    decision = decide(after, seen(6, now=NOON + MINUTE), memory)
    assert (size_after(decision), decisive(decision)) == (6, "no_policies")
    assert bounds_at(after, NOON, None).floor == 2
