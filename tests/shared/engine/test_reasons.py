"""Every code can be said, its page is fresh, and every decision says why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.engine.decide import decide
from shared.engine.model import Blocked, Guard, LastWrite, Observation, Reading
from shared.engine.plan import Plan
from shared.engine.reasons import Code
from shared.engine.reference import render
from tests.engine_worlds import (
    EAGER,
    NOON,
    ago,
    codes,
    cpu,
    decisive,
    ladder,
    plan,
    queue,
    seen,
    series,
    watched,
    window,
)

WEB = plan(cpu(), **EAGER)
CALM = plan(cpu())
COOL = plan(cpu(), stabilization={"scale_in": "0s"})
SLOW = plan(cpu(), **{**EAGER, "stabilization": {"scale_out": "5m", "scale_in": "5m"}})
PAIR = plan(cpu(), queue(), **EAGER)
SMALL = plan(cpu(), **EAGER, limits={"min": 9, "max": 11})
DEMAND = plan(cpu(demand={"percentile": 90, "window": "4m"}), **EAGER)
STEPS = plan(ladder(), **EAGER)
FLOOR = window("day", "08:00", "18:00", 12)
CEILING = window("cap", "08:00", "18:00", 4, mode="at_most")
LEASE = {"target_instances": 90, "until": ago(-60)}
LATER = ago(-5)
HOT, QUIET = series(90), series(30)

# code -> plan, observation, what memory remembers besides a calm half hour
SAID: dict[Code, tuple[Plan, Observation, dict[str, Any]]] = {
    Code.POOL_MISSING: (WEB, Observation(NOON, None, "missing"), {}),
    Code.POOL_FORBIDDEN: (WEB, Observation(NOON, None, "forbidden"), {}),
    Code.POOL_UNKNOWN: (WEB, Observation(NOON, None, "unknown"), {}),
    Code.POOL_STOPPED: (WEB, seen(state="STOPPED"), {}),
    Code.POOL_BUSY: (WEB, seen(state="SCALING"), {}),
    Code.POOL_STUCK: (WEB, seen(state="SCALING"), {"busy_since": ago(11)}),
    Code.WRITE_NOT_VISIBLE: (WEB, seen(last_write=LastWrite(12, ago(1))), {}),
    Code.PAUSED: (plan(mode="paused"), seen(), {}),
    Code.OBSERVE: (plan(mode="observe"), seen(), {}),
    Code.LIMITS: (plan(overrides=[LEASE]), seen(), {}),
    Code.GUARD: (WEB, seen(guard=Guard(max=9)), {}),
    Code.OVERRIDE: (plan(overrides=[{**LEASE, "target_instances": 9}]), seen(), {}),
    Code.SCHEDULE_FLOOR: (plan(schedules=[FLOOR]), seen(), {}),
    Code.SCHEDULE_CEILING: (plan(schedules=[CEILING]), seen(), {}),
    Code.FLOOR_ABOVE_CEILING: (plan(schedules=[FLOOR, CEILING]), seen(), {}),
    Code.BELOW_FLOOR: (WEB, seen(0), {}),
    Code.ABOVE_CEILING: (WEB, seen(60), {}),
    Code.AT_FLOOR: (SMALL, seen(10, cpu=QUIET), {}),
    Code.AT_CEILING: (SMALL, seen(10, cpu=HOT), {}),
    Code.REENTERING: (plan(limits={"min": 30, "max": 50}), seen(), {"mode": "paused"}),
    Code.NO_DATA: (WEB, seen(), {}),
    Code.METRIC_STALE: (WEB, seen(cpu=series(60, newest=7)), {}),
    Code.METRIC_ERROR: (WEB, seen(cpu=Reading(error="HTTP 500")), {}),
    Code.SAMPLES_REJECTED: (WEB, seen(cpu=series(60, "x")), {}),
    Code.ON_TARGET: (WEB, seen(cpu=60), {}),
    Code.OFF_TARGET: (WEB, seen(cpu=HOT), {}),
    Code.DAMPED: (WEB, seen(cpu=series(30, samples=9)), {}),
    Code.DEMAND_PERCENTILE: (DEMAND, seen(cpu=series(60, 60, 60, 60)), {}),
    Code.DEMAND_INCOMPLETE: (DEMAND, seen(cpu=60), {}),
    Code.STEP_OUT: (STEPS, seen(memory=series(90, 90, 90)), {}),
    Code.STEP_IN: (STEPS, seen(memory=series(*[20] * 5)), {}),
    Code.NO_BREACH: (STEPS, seen(memory=50), {}),
    Code.SIZE_ZERO: (WEB, seen(0), {}),
    Code.LARGEST_NEED: (PAIR, seen(cpu=HOT, queue=1100), {}),
    Code.PARTIAL_DATA: (PAIR, seen(cpu=QUIET), {}),
    Code.ON_MISSING_HOLD: (WEB, seen(), {}),
    Code.ON_MISSING_AT_LEAST: (plan(cpu(), on_missing_metrics={"at_least": 12}), seen(), {}),
    Code.NO_OPINION: (STEPS, seen(memory=50), {}),
    Code.SCHEDULE_ONLY: (plan(schedules=[FLOOR]), seen(12), {}),
    Code.NO_POLICIES: (plan(), seen(), {}),
    Code.ANTI_FLAP: (plan(cpu(), ladder()), seen(cpu=QUIET, memory=75), {}),
    Code.STABILIZING_OUT: (SLOW, seen(cpu=HOT), {}),
    Code.STABILIZING_IN: (SLOW, seen(cpu=QUIET), {}),
    Code.NO_HISTORY: (SLOW, seen(cpu=QUIET), {"needs": ()}),
    Code.MAX_STEP: (CALM, seen(2, cpu=series(100, samples=9)), {"size": 2}),
    Code.COOLDOWN_OUT: (CALM, seen(cpu=HOT), {"settled_out_at": ago(0.5)}),
    Code.COOLDOWN_IN: (COOL, seen(cpu=QUIET), {"settled_at": ago(1)}),
    Code.UNSETTLED: (WEB, seen(10, 8, cpu=HOT), {"change": "out", "changed_at": ago(1)}),
    Code.PARTIALLY_SETTLED: (WEB, seen(10, 8, cpu=60), {}),
    Code.BLOCKED_CAPACITY: (WEB, seen(cpu=HOT, blocked=Blocked(LATER)), {}),
    Code.BLOCKED_WRITES: (WEB, seen(cpu=HOT, blocked=Blocked(None, LATER)), {}),
    Code.REMOVALS_SPENT: (WEB, seen(cpu=QUIET, guard=Guard(removable=0)), {}),
    Code.CLOCK_SHIFTED: (WEB, seen(elapsed=3600.0), {}),
    Code.SCALE_OUT: (WEB, seen(cpu=HOT), {}),
    Code.SCALE_IN: (WEB, seen(cpu=QUIET), {}),
}


@pytest.mark.parametrize("code", Code)
def test_every_code_is_said_by_some_decision(code: Code) -> None:
    the_plan, observation, remembered = SAID[code]
    size = observation.pool.size if observation.pool is not None else 10
    decision = decide(the_plan, observation, watched(the_plan, size, **remembered))
    assert code in codes(decision)
    assert all(reason.text for reason in decision.verdict.reasons)
    outcome = (f"held at {size}: ", f"scales out from {size} to ", f"scales in from {size} to ")
    assert decision.verdict.reasons[-1].text.startswith(outcome)


def test_every_code_has_a_meaning_that_is_a_sentence() -> None:
    assert all(code.meaning[0].isupper() and code.meaning.endswith(".") for code in Code)
    assert len({code.meaning for code in Code}) == len(Code)


def test_the_reference_page_is_fresh() -> None:
    page = Path(__file__).parents[3] / "docs" / "reasons.md"
    assert page.read_text(encoding="utf-8") == render(), "write it anew: make docs"


def test_the_reference_page_lists_every_code_once() -> None:
    page = render()
    assert [page.count(f"| `{code.value}` |") for code in Code] == [1] * len(Code)


def test_a_decision_of_now_is_told_by_its_last_reason() -> None:
    """The same pool through one change after the other: only the decisive code differs."""
    told = {
        "scale_out": seen(cpu=HOT),
        "on_target": seen(cpu=60),
        "on_missing_hold": seen(),
        "blocked_capacity": seen(cpu=HOT, blocked=Blocked(LATER)),
        "pool_busy": seen(state="SCALING", cpu=HOT),
        "at_ceiling": seen(50, cpu=HOT),
    }
    for code, observation in told.items():
        size = observation.pool.size if observation.pool is not None else 0
        assert decisive(decide(WEB, observation, watched(WEB, size))) == code


def test_the_plan_of_a_pool_can_be_observed_instead() -> None:
    """Another node owns the pool: the same plan, told to keep its hands off."""
    hands_off = replace(WEB, pool=WEB.pool.model_copy(update={"mode": "observe"}))
    assert decisive(decide(hands_off, seen(cpu=HOT), watched(WEB))) == "observe"
