"""What would have to change for something to happen, the waits, and the pool's status."""

from typing import Any

import pytest

from shared.engine.decide import decide
from shared.engine.model import Blocked, Memory, Observation, Reading
from shared.engine.outlook import outlook
from shared.engine.plan import Plan
from tests.engine_worlds import (
    EAGER,
    NOON,
    ago,
    cpu,
    ladder,
    plan,
    queue,
    seen,
    series,
    watched,
    window,
)

HOT, QUIET = series(90), series(30)


def lines(the_plan: Plan, observation: Observation, memory: Memory | None = None) -> list[str]:
    size = observation.pool.size if observation.pool is not None else 0
    memory = watched(the_plan, size) if memory is None else memory
    return outlook(the_plan, decide(the_plan, observation, memory), NOON)


def test_target_tracking_names_both_edges() -> None:
    assert lines(plan(cpu()), seen(cpu=60)) == [
        "cpu adds 2 above CpuUtilization 66 %",
        "cpu could do with 1 instance less below CpuUtilization 54 %",
    ]


@pytest.mark.parametrize("size", range(1, 31))
@pytest.mark.parametrize("kind", ["tracking", "total"])
def test_the_edges_tell_the_truth(kind: str, size: int) -> None:
    """A hair beyond the edge the vote is what the outlook promised; at the edge nothing moves."""
    name, policy = ("cpu", cpu()) if kind == "tracking" else ("queue", queue())
    web = plan(policy, limits={"min": 0, "max": 1000}, **EAGER)

    def wanted_at(value: float) -> int:
        metrics: dict[str, Any] = {name: value}
        return decide(web, seen(size, **metrics), watched(web, size)).verdict.desired

    calm: dict[str, Any] = {name: 60.0 if kind == "tracking" else 100.0 * size}
    vote = decide(web, seen(size, **calm), watched(web, size)).verdict.votes[0]
    assert vote.grows is not None
    assert wanted_at(vote.grows.value) == size
    assert wanted_at(vote.grows.value * (1 + 1e-7)) == vote.grows.size
    if vote.shrinks is not None:
        assert wanted_at(vote.shrinks.value * (1 + 1e-7)) == size
        assert wanted_at(vote.shrinks.value * (1 - 1e-7)) == vote.shrinks.size


def test_steps_name_their_nearest_rungs() -> None:
    assert lines(plan(ladder()), seen(memory=50)) == [
        "memory adds 2 above MemoryUtilization 80 %",
        "memory could do with 1 instance less below MemoryUtilization 30 %",
    ]


# plan, what is seen, what is remembered -> the first sentence
WAITS: dict[str, tuple[Plan, Observation, dict[str, Any], str]] = {
    "cooldown": (
        plan(cpu(), **{**EAGER, "cooldown": {"scale_out": "5m"}}), seen(cpu=HOT),
        {"settled_out_at": ago(1)}, "in 4 min, when scale-out cooldown ends, it is decided anew",
    ),
    "stabilization": (
        plan(cpu(), stabilization={"scale_out": "5m"}), seen(cpu=HOT),
        {}, "in 4 min 30 s, when scale-out stabilization ends, it is decided anew",
    ),
    "history": (
        plan(cpu()), seen(cpu=QUIET), {"needs": ()},
        "in 5 min, when history is complete, it is decided anew",
    ),
    "capacity": (
        plan(cpu()), seen(cpu=HOT, blocked=Blocked(ago(-10), None, "OutOfCapacity")), {},
        "in 10 min, when the capacity back-off ends, it is decided anew",
    ),
    "a failed write": (
        plan(cpu()), seen(cpu=HOT, blocked=Blocked(None, ago(-0.5))), {},
        "in 30 s, when the back-off after a failed write ends, it is decided anew",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("the_plan", "observation", "remembered", "sentence"), WAITS.values(), ids=WAITS.keys()
)
def test_waiting_becomes_information(
    the_plan: Plan, observation: Observation, remembered: dict[str, Any], sentence: str
) -> None:
    assert lines(the_plan, observation, watched(the_plan, 10, **remembered))[0] == sentence


def test_the_nearest_wait_comes_first() -> None:
    web = plan(cpu(), **{**EAGER, "cooldown": {"scale_out": "5m"}})
    block = Blocked(ago(-2))
    memory = watched(web, 10, settled_out_at=ago(1))
    decision = decide(web, seen(8, cpu=HOT, blocked=block), memory)
    untils = [wait.until for wait in decision.verdict.waits]
    assert untils == [ago(-4)]  # held by the cooldown, nothing is left for the back-off to hold


def test_schedules_and_overrides_announce_themselves() -> None:
    web = plan(cpu(), schedules=[window("evening", "18:00", "20:00", 5)])
    assert lines(web, seen(cpu=60))[-1] == (
        "in 6 h, at 2026-01-15 18:00Z, a schedule or override changes"
    )
    leased = plan(cpu(), overrides=[{"target_instances": 10, "until": ago(-90)}])
    assert lines(leased, seen(cpu=60)) == [
        "in 1 h 30 min, at 2026-01-15 13:30Z, a schedule or override changes"
    ]


def test_a_resize_needs_no_outlook() -> None:
    assert lines(plan(cpu(), **EAGER), seen(cpu=HOT)) == []


CALM = seen(cpu=60)

# what is seen, what is remembered -> status
STATUS: dict[str, tuple[Observation, dict[str, Any], str]] = {
    "all is well": (CALM, {}, "healthy"),
    "busy is well": (seen(10, 8, state="SCALING", cpu=60), {"change": "out"}, "healthy"),
    "cooling down is well": (seen(cpu=HOT), {"settled_out_at": ago(0)}, "healthy"),
    "no data": (seen(), {}, "warning"),
    "fewer run than wanted, nothing is under way": (seen(10, 9, cpu=60), {}, "warning"),
    "capacity": (seen(cpu=HOT, blocked=Blocked(ago(-1))), {}, "warning"),
    "capacity that nobody needs": (seen(cpu=60, blocked=Blocked(ago(-1))), {}, "healthy"),
    "stopped": (seen(state="STOPPED", cpu=60), {}, "warning"),
    "stuck": (seen(state="SCALING", cpu=60), {"busy_since": ago(11)}, "error"),
    "stuck and blind": (seen(state="SCALING"), {"busy_since": ago(11)}, "error"),
    "gone": (Observation(NOON, None, "missing"), {}, "error"),
}


@pytest.mark.parametrize(
    ("observation", "remembered", "status"), STATUS.values(), ids=STATUS.keys()
)
def test_status(observation: Observation, remembered: dict[str, Any], status: str) -> None:
    web = plan(cpu())
    assert decide(web, observation, watched(web, **remembered)).verdict.status == status


def test_sentences_name_numbers_with_their_units() -> None:
    web = plan(cpu(), **EAGER)
    decision = decide(web, seen(cpu=Reading(72.5, ago(2), 10)), watched(web))
    assert decision.verdict.reasons[-1].text == (
        "scales out from 10 to 13: CpuUtilization at 72.5 % with target 60 % needs 13 instances"
    )
