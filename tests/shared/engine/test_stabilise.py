"""Stabilization: smallest need of the window to grow, largest to shrink, and proof for that."""

from datetime import timedelta
from typing import Any

import pytest

from shared.engine.decide import decide
from shared.engine.model import Memory, NeedRun, Observation, PoolState
from tests.engine_worlds import (
    EAGER,
    NOON,
    ago,
    codes,
    cpu,
    decisive,
    plan,
    reading_at,
    seen,
    size_after,
    watched,
)

SLOW: dict[str, Any] = {**EAGER, "stabilization": {"scale_out": "3m", "scale_in": "5m"}}


def runs(*spans: tuple[float, float, int]) -> tuple[NeedRun, ...]:
    """Needs as (minutes ago of the first tick, of the last tick, need)."""
    return tuple(NeedRun(ago(first), ago(last), need) for first, last, need in spans)


# needs before this tick, CPU now (90 needs 15, 30 needs 5, 60 keeps 10) -> size after, code
WINDOWS: dict[str, tuple[tuple[NeedRun, ...], float, int, str]] = {
    "out: needed throughout the window": (runs((9, 0.5, 15)), 90, 15, "scale_out"),
    "out: the window's start counts": (
        runs((9, 3, 10), (2.5, 0.5, 15)), 90, 10, "stabilizing_out",
    ),
    "out: a smaller need before the window does not": (
        runs((9, 3.01, 10), (2.5, 0.5, 15)), 90, 15, "scale_out",
    ),
    "out: the smallest need of the window": (
        runs((9, 2, 12), (1.5, 0.5, 18)), 90, 12, "scale_out",
    ),
    "out: a smaller need than the size holds, it does not shrink": (
        runs((9, 2, 3), (1.5, 0.5, 15)), 90, 10, "stabilizing_out",
    ),
    "out: without history the need of now is all there is": ((), 90, 15, "scale_out"),
    "in: unneeded throughout the window": (runs((9, 0.5, 5)), 30, 5, "scale_in"),
    "in: the window's start counts": (runs((9, 5, 10), (4.5, 0.5, 5)), 30, 10, "stabilizing_in"),
    "in: a larger need before the window does not": (
        runs((9, 5.01, 10), (4.5, 0.5, 5)), 30, 5, "scale_in",
    ),
    "in: the largest need of the window": (runs((9, 4, 8), (3.5, 0.5, 4)), 30, 8, "scale_in"),
    "in: a larger need than the size holds, it does not grow": (
        runs((9, 4, 18), (3.5, 0.5, 5)), 30, 10, "stabilizing_in",
    ),
    "in: watched for exactly the window": (runs((5, 0.5, 5)), 30, 5, "scale_in"),
    "in: watched for a second less": (runs((5 - 1 / 60, 0.5, 5)), 30, 10, "no_history"),
    "in: no history": ((), 30, 10, "no_history"),
    "in: two minutes without a tick are no hole": (
        runs((9, 4, 5), (2, 0.5, 5)), 30, 5, "scale_in",
    ),
    "in: a second more is a hole": (
        runs((9, 4 + 1 / 60, 5), (2, 0.5, 5)), 30, 10, "no_history",
    ),
    "in: a hole before the window's start does not matter": (
        runs((30, 20, 5), (5.5, 0.5, 5)), 30, 5, "scale_in",
    ),
    "in: stopped for longer than the window": (runs((60, 20, 5)), 30, 10, "no_history"),
    "in: stopped until just now": (runs((60, 2.5, 5)), 30, 10, "no_history"),
}  # fmt: skip


@pytest.mark.parametrize(("needs", "load", "to", "code"), WINDOWS.values(), ids=WINDOWS.keys())
def test_the_window_decides(needs: tuple[NeedRun, ...], load: float, to: int, code: str) -> None:
    web = plan(cpu(), **SLOW)
    decision = decide(web, seen(10, cpu=load), watched(web, 10, needs=needs))
    assert (size_after(decision), decisive(decision)) == (to, code)


# poll interval, metric interval -> longest gap in minutes that is no hole
HOLES = {
    "twice the metric interval": ("30s", "1m", 2.0),
    "twice the poll interval": ("2m", "1m", 4.0),
    "twice a longer metric interval": ("30s", "2m", 4.0),
}


@pytest.mark.parametrize(("poll", "interval", "gap"), HOLES.values(), ids=HOLES.keys())
def test_a_hole_is_longer_than_two_polls_and_two_metric_windows(
    poll: str, interval: str, gap: float
) -> None:
    web = plan(cpu(interval=interval), poll=poll, **SLOW)
    until = [runs((60, gap, 5)), runs((60, gap + 1 / 60, 5))]
    decisions = [decide(web, seen(10, cpu=30), watched(web, 10, needs=needs)) for needs in until]
    assert [size_after(decision) for decision in decisions] == [5, 10]


def test_a_new_pool_waits_for_history_before_it_shrinks() -> None:
    web = plan(cpu(), **SLOW)
    memory, sizes = Memory(), []
    for tick in range(12):
        now = NOON + timedelta(seconds=30 * tick)
        quiet = seen(10, now=now, cpu=reading_at(now, 30))
        decision = decide(web, quiet, memory)
        memory = decision.verdict.memory
        sizes.append(size_after(decision))
    assert sizes == [10] * 10 + [5, 5]  # the eleventh tick is five minutes after the first


def test_changed_policies_start_without_history() -> None:
    before, after = plan(cpu(target=50), **SLOW), plan(cpu(), **SLOW)
    decision = decide(after, seen(10, cpu=30), watched(before, 10, need=5))
    assert (size_after(decision), decisive(decision)) == (10, "no_history")


def test_other_keys_of_the_pool_keep_the_history() -> None:
    before, after = plan(cpu(), **SLOW), plan(cpu(), limits={"min": 2, "max": 40}, **SLOW)
    assert size_after(decide(after, seen(10, cpu=30), watched(before, 10, need=5))) == 5


def test_lost_memory_starts_without_history() -> None:
    web = plan(cpu(), **SLOW)
    assert decisive(decide(web, seen(10, cpu=30), Memory())) == "no_history"


def test_ticks_without_data_are_holes() -> None:
    web = plan(cpu(), **SLOW)
    memory = watched(web, 10, need=5)
    for tick in range(5):  # 2.5 min since the last need
        blind = decide(web, seen(10, now=NOON + timedelta(seconds=30 * tick)), memory)
        memory = blind.verdict.memory
    now = NOON + timedelta(minutes=2.5)
    decision = decide(web, seen(10, now=now, cpu=reading_at(now, 30)), memory)
    assert decisive(decision) == "no_history"


# what the tick before was like: its need is remembered
REMEMBERED: dict[str, tuple[dict[str, Any], str]] = {
    "held busy": ({}, "SCALING"),
    "stopped": ({}, "STOPPED"),
    "observed": ({"mode": "observe"}, "RUNNING"),
    "paused": ({"mode": "paused"}, "RUNNING"),
    "at the ceiling": ({"limits": {"min": 1, "max": 10}}, "RUNNING"),
}


@pytest.mark.parametrize(("keys", "state"), REMEMBERED.values(), ids=REMEMBERED.keys())
def test_needs_are_kept_before_bounds_and_in_held_ticks(keys: dict[str, Any], state: str) -> None:
    web = plan(cpu(), **SLOW, **keys)
    memory = decide(web, seen(10, state=state, cpu=90), watched(web, 10)).verdict.memory
    assert memory.needs[-1] == NeedRun(NOON, NOON, 15)


def test_a_tick_that_cannot_see_the_pool_remembers_no_need() -> None:
    web = plan(cpu())
    before = watched(web, 10)
    assert decide(web, Observation(NOON, None, "unknown"), before).verdict.memory.needs == (
        before.needs
    )


def test_memory_of_needs_stays_small() -> None:
    web = plan(cpu(), **SLOW)
    memory = Memory()
    for tick in range(400):
        now = NOON + timedelta(seconds=30 * tick)
        value = (60.0, 90.0)[tick // 3 % 2]
        pool = PoolState(10, 10, "SCALING")
        observation = Observation(now, pool, metrics={"cpu": reading_at(now, value)})
        memory = decide(web, observation, memory).verdict.memory
    assert len(memory.needs) <= 6
    assert len(memory.counts) == 1


def test_no_stabilization_needs_no_history() -> None:
    web = plan(cpu(), **EAGER)
    decision = decide(web, seen(10, cpu=30), Memory())
    assert (size_after(decision), "no_history" in codes(decision)) == (5, False)
