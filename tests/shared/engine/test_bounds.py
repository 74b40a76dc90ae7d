"""Floor and ceiling: guard > limits > override > schedules, with or without metrics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.engine.bounds import bounds_at
from shared.engine.decide import decide
from shared.engine.model import Guard, Memory, Reading, Resize
from tests.engine_worlds import (
    NOON,
    ago,
    codes,
    cpu,
    decisive,
    plan,
    seen,
    size_after,
    watched,
    window,
)

DAY = ("08:00", "18:00")
LEASE = {"target_instances": 12, "until": NOON + timedelta(hours=1)}

# schedules, override, guard -> floor, ceiling, codes; the limits are 2 to 20
PRECEDENCE: dict[str, tuple[list[dict[str, Any]], bool, Guard | None, int, int, list[str]]] = {
    "nothing else: the limits": ([], False, None, 2, 20, []),
    "at_least is a floor": ([window("day", *DAY, 6)], False, None, 6, 20, ["schedule_floor"]),
    "at_most is a ceiling": (
        [window("day", *DAY, 6, mode="at_most")], False, None, 2, 6, ["schedule_ceiling"],
    ),
    "exactly is both": (
        [window("day", *DAY, 6, mode="exactly")], False, None, 6, 6,
        ["schedule_floor", "schedule_ceiling"],
    ),
    "a closed window is nothing": ([window("night", "18:00", "08:00", 6)], False, None, 2, 20, []),
    "a suspended schedule is nothing": (
        [window("day", *DAY, 6, active=False)], False, None, 2, 20, [],
    ),
    "the highest floor counts": (
        [window("a", *DAY, 6), window("b", *DAY, 9)], False, None, 9, 20,
        ["schedule_floor", "schedule_floor"],
    ),
    "the lowest ceiling counts": (
        [window("a", *DAY, 9, mode="at_most"), window("b", *DAY, 6, mode="at_most")],
        False, None, 2, 6, ["schedule_ceiling", "schedule_ceiling"],
    ),
    "a floor wins over a lower ceiling, and says so": (
        [window("a", *DAY, 9), window("b", *DAY, 6, mode="at_most")], False, None, 9, 9,
        ["schedule_floor", "schedule_ceiling", "floor_above_ceiling"],
    ),
    "floor equal to ceiling needs no winner": (
        [window("a", *DAY, 6), window("b", *DAY, 6, mode="at_most")], False, None, 6, 6,
        ["schedule_floor", "schedule_ceiling"],
    ),
    "an override replaces the schedules": (
        [window("a", *DAY, 6)], True, None, 12, 12, ["override"],
    ),
    "limits stand above a schedule": (
        [window("a", *DAY, 25)], False, None, 20, 20, ["schedule_floor", "limits"],
    ),
    "a ceiling below the limits' min ends there": (
        [window("a", *DAY, 0, mode="at_most")], False, None, 2, 2,
        ["schedule_ceiling", "limits"],
    ),
    "the guard lowers the limits": ([], False, Guard(max=8), 2, 8, ["guard"]),
    "the guard raises the limits' min": ([], False, Guard(min=4), 4, 20, ["guard"]),
    "the guard stands above an override": ([], True, Guard(max=8), 8, 8, ["override", "guard"]),
    "the guard's min stands above a ceiling": (
        [window("a", *DAY, 2, mode="at_most")], False, Guard(min=5), 5, 5,
        ["schedule_ceiling", "guard"],
    ),
    "a guard that is wide enough is silent": ([], False, Guard(min=0, max=99), 2, 20, []),
}  # fmt: skip


@pytest.mark.parametrize(
    ("schedules", "leased", "guard", "floor", "ceiling", "said"),
    PRECEDENCE.values(),
    ids=PRECEDENCE.keys(),
)
def test_who_stands_above_whom(
    schedules: list[dict[str, Any]],
    leased: bool,
    guard: Guard | None,
    floor: int,
    ceiling: int,
    said: list[str],
) -> None:
    leases = [LEASE] if leased else []
    web = plan(schedules=schedules, overrides=leases, limits={"min": 2, "max": 20})
    bounds = bounds_at(web, NOON, guard)
    assert (bounds.floor, bounds.ceiling) == (floor, ceiling)
    assert [reason.code for reason in bounds.reasons] == said


def test_an_override_above_the_limits_is_cut_to_them() -> None:
    web = plan(overrides=[{**LEASE, "target_instances": 30}], limits={"min": 2, "max": 20})
    bounds = bounds_at(web, NOON, None)
    assert (bounds.floor, bounds.ceiling) == (20, 20)
    assert [reason.code for reason in bounds.reasons] == ["override", "limits"]


def test_an_override_ends_at_its_instant() -> None:
    web = plan(overrides=[{"target_instances": 12, "until": NOON}])
    assert bounds_at(web, NOON - timedelta(microseconds=1), None).floor == 12
    assert bounds_at(web, NOON, None).floor == 1


def test_a_window_opens_and_closes_at_its_edges() -> None:
    web = plan(schedules=[window("day", *DAY, 6)])
    opens, closes = NOON.replace(hour=8), NOON.replace(hour=18)
    tick = timedelta(microseconds=1)
    edges = [opens - tick, opens, closes - tick, closes]
    assert [bounds_at(web, at, None).floor for at in edges] == [1, 6, 6, 1]


# size, keys of the pool -> size after: enforced blind, whatever would slow metrics down
ENFORCED: dict[str, tuple[int, dict[str, Any], int, str]] = {
    "below min: raised": (1, {"limits": {"min": 4, "max": 20}}, 4, "below_floor"),
    "at min: stays": (4, {"limits": {"min": 4, "max": 20}}, 4, ""),
    "above max: lowered": (30, {"limits": {"min": 4, "max": 20}}, 20, "above_ceiling"),
    "at max: stays": (20, {"limits": {"min": 4, "max": 20}}, 20, ""),
    "a floor ten times the size in one go": (
        1, {"schedules": [window("day", *DAY, 10)]}, 10, "below_floor",
    ),
    "a ceiling in one go": (
        40, {"schedules": [window("day", *DAY, 2, mode="at_most")]}, 2, "above_ceiling",
    ),
    "an override up": (1, {"overrides": [LEASE]}, 12, "below_floor"),
    "an override down": (40, {"overrides": [LEASE]}, 12, "above_ceiling"),
}  # fmt: skip

METRICS: dict[str, Reading | None] = {
    "no metrics": None,
    "failed metrics": Reading(error="HTTP 500"),
    "calm metrics": Reading(60.0, ago(2)),
}


@pytest.mark.parametrize("reading", METRICS.values(), ids=METRICS.keys())
@pytest.mark.parametrize(("size", "keys", "to", "code"), ENFORCED.values(), ids=ENFORCED.keys())
def test_bounds_ignore_metrics_cooldown_stabilization_and_max_step(
    size: int, keys: dict[str, Any], to: int, code: str, reading: Reading | None
) -> None:
    slow = {
        "stabilization": {"scale_out": "10m", "scale_in": "1h"},
        "cooldown": {"scale_out": "1h", "scale_in": "1h"},
        "max_step": {"scale_out": 1, "scale_in": 1},
    }
    web = plan(cpu(), **{**slow, **keys})
    just_settled = watched(web, size, settled_at=ago(1), settled_out_at=ago(1))
    observation = seen(size) if reading is None else seen(size, cpu=reading)
    decision = decide(web, observation, just_settled)
    assert size_after(decision) == to
    if code:
        assert code in codes(decision)
        assert isinstance(decision, Resize)
        assert decision.cause == ("override" if "overrides" in keys else "bounds")


def test_limits_alone_never_shrink_a_pool_inside_them() -> None:
    web = plan(limits={"min": 2, "max": 20})
    decision = decide(web, seen(15), watched(web, 15))
    assert (size_after(decision), decisive(decision)) == (15, "no_policies")


def test_metrics_stop_at_the_ceiling_and_at_the_floor() -> None:
    web = plan(cpu(), limits={"min": 8, "max": 12})
    up = decide(web, seen(10, cpu=100), watched(web, 10))
    assert (size_after(up), "at_ceiling" in codes(up)) == (12, True)
    down = decide(web, seen(10, cpu=10), watched(web, 10, need=1))
    assert (size_after(down), "at_floor" in codes(down)) == (8, True)


def test_a_bounds_move_starts_the_cooldowns() -> None:
    web = plan(cpu(), schedules=[window("day", *DAY, 8)], cooldown={"scale_out": "5m"})
    moved = decide(web, seen(4), Memory())
    assert size_after(moved) == 8
    settled = decide(web, seen(8, now=NOON + timedelta(minutes=3)), moved.verdict.memory)
    hot = seen(8, cpu=Reading(100.0, NOON + timedelta(minutes=4)), now=NOON + timedelta(minutes=6))
    decision = decide(web, hot, settled.verdict.memory)
    assert (size_after(decision), decisive(decision)) == (8, "cooldown_out")


def test_a_start_missed_during_a_restart_still_applies() -> None:
    web = plan(schedules=[window("day", *DAY, 6)])
    late = datetime(2026, 1, 15, 17, 59, tzinfo=UTC)
    assert size_after(decide(web, seen(2, now=late), Memory())) == 6
