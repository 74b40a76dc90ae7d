"""A clock that was set shifts what is remembered; time that passed does not."""

from datetime import timedelta

import pytest

from shared.engine.decide import decide
from shared.engine.model import Memory, NeedRun
from shared.engine.settle import align
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

REMEMBERED = Memory(
    at=NOON,
    needs=(NeedRun(ago(9), ago(1), 4),),
    counts=((ago(9), 4),),
    changed_at=ago(8),
    settled_at=ago(7),
    settled_out_at=ago(6),
    busy_since=ago(5),
)

# now in minutes after the memory, monotonic seconds since -> shift in minutes
CLOCKS: dict[str, tuple[float, float | None, float]] = {
    "time passed": (1, 60, 0),
    "a drift of 5 s is no set clock": (1 + 5 / 60, 60, 0),
    "5 s back neither": (1 - 5 / 60, 60, 0),
    "more than that is: forward": (1 + 6 / 60, 60, 6 / 60),
    "more than that is: back": (1 - 6 / 60, 60, -6 / 60),
    "set forward by an hour": (61, 60, 60),
    "set back by an hour": (-59, 60, -60),
    "after a restart, forward is time that passed": (120, None, 0),
    "after a restart, back is a set clock": (-30, None, -30),
    "the same instant again": (0, 0, 0),
}


@pytest.mark.parametrize(("later", "elapsed", "shift"), CLOCKS.values(), ids=CLOCKS.keys())
def test_remembered_instants_shift_with_the_clock(
    later: float, elapsed: float | None, shift: float
) -> None:
    by = timedelta(minutes=shift)
    aligned, reason = align(REMEMBERED, NOON + timedelta(minutes=later), elapsed)
    assert aligned == Memory(
        at=NOON + by,
        needs=(NeedRun(ago(9) + by, ago(1) + by, 4),),
        counts=((ago(9) + by, 4),),
        changed_at=ago(8) + by,
        settled_at=ago(7) + by,
        settled_out_at=ago(6) + by,
        busy_since=ago(5) + by,
    )
    assert (reason is not None) == (shift != 0)


def test_a_memory_without_an_instant_is_left_alone() -> None:
    assert align(Memory(), NOON, 30.0) == (Memory(), None)


@pytest.mark.parametrize("hours", [-6, 6])
def test_cooldown_and_stabilization_go_on_where_they_were(hours: int) -> None:
    web = plan(cpu(), **{**EAGER, "cooldown": {"scale_out": "10m", "scale_in": "10m"}})
    memory = watched(web, 10, settled_at=ago(9), settled_out_at=ago(9))
    jump = timedelta(hours=hours)
    hot = reading_at(NOON + jump, 90)
    early = decide(web, seen(10, now=NOON + jump, elapsed=30.0, cpu=hot), memory)
    assert codes(early)[0] == "clock_shifted"
    assert (size_after(early), decisive(early)) == (10, "cooldown_out")
    minute = jump + timedelta(minutes=1)
    observation = seen(10, now=NOON + minute, elapsed=60.0, cpu=reading_at(NOON + minute, 90))
    due = decide(web, observation, early.verdict.memory)
    assert (size_after(due), "clock_shifted" in codes(due)) == (15, False)


def test_a_restart_keeps_cooldown_and_history() -> None:
    web = plan(cpu(), cooldown={"scale_in": "10m"}, stabilization={"scale_in": "5m"})
    memory = watched(web, 10, need=5, settled_at=ago(9))
    decision = decide(web, seen(10, cpu=30, elapsed=None), memory)
    assert decisive(decision) == "cooldown_in"
