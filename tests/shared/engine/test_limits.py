"""Each limit by itself: anti-flap, max_step, cooldown, unsettled, back-off, removals."""

from typing import Any

import pytest

from shared.engine.decide import decide
from shared.engine.model import Blocked, Guard, Resize
from tests.engine_worlds import (
    EAGER,
    ago,
    codes,
    cpu,
    decisive,
    ladder,
    plan,
    queue,
    seen,
    series,
    size_after,
    watched,
    window,
)


def steps(above: float, below: float, remove: Any) -> dict[str, Any]:
    return ladder(
        scale_out={"for": "1m", "steps": [{"above": above, "add": 1}]},
        scale_in={"for": "1m", "steps": [{"below": below, "remove": remove}]},
    )


# above, below, remove, size, load -> size after
ANTI_FLAP: dict[str, tuple[float, float, Any, int, float, int]] = {
    "27 would carry 72.2 %, 28 carry 69.6 %": (70, 66, 3, 30, 65, 28),
    "exactly on the threshold is allowed": (70, 66, 3, 30, 63, 27),
    "a hair more is one fewer removed": (70, 66, 3, 30, 63.001, 28),
    "nothing can go: hold": (66, 65, 3, 10, 64, 10),
    "far from the threshold: all of it": (90, 50, 3, 30, 40, 27),
    "all of them, but the load needs some": (80, 30, "100%", 10, 20, 3),
    "no load, no obstacle": (80, 30, "100%", 10, 0, 0),
}


@pytest.mark.parametrize(
    ("above", "below", "remove", "size", "load", "to"), ANTI_FLAP.values(), ids=ANTI_FLAP.keys()
)
def test_a_scale_in_never_causes_the_next_scale_out(
    above: float, below: float, remove: Any, size: int, load: float, to: int
) -> None:
    web = plan(steps(above, below, remove), **EAGER, limits={"min": 0, "max": 50})
    decision = decide(web, seen(size, memory=load), watched(web, size))
    assert size_after(decision) == to


def test_the_projection_looks_at_every_policy() -> None:
    web = plan(cpu(), steps(80, 79, 1), queue(target=100), **EAGER)
    decision = decide(web, seen(10, cpu=10, memory=62, queue=300), watched(web, 10))
    assert size_after(decision) == 9  # memory wants 9; 10 × 62 / 9 is 69, below 80
    slow = plan(cpu(), steps(68, 67, 1), queue(target=100), **EAGER)
    decision = decide(slow, seen(10, cpu=10, memory=62, queue=300), watched(slow, 10))
    assert (size_after(decision), decisive(decision)) == (10, "anti_flap")


def test_the_projection_counts_members_that_ran_in_silence() -> None:
    web = plan({**steps(60, 55, 5), "statistic": "max"}, **EAGER)
    half = seen(10, memory=series(50, samples=5))
    assert size_after(decide(web, half, watched(web, 10))) == 9  # 10 × 50 / 8 is above 60


# size, CPU, rule -> size after
STEPS: dict[str, tuple[int, float, dict[str, Any], int]] = {
    "out: one step doubles": (3, 100, {"scale_out": "100%"}, 5),
    "out: more than doubling is cut": (3, 100, {"scale_out": "50%"}, 5),
    "out: a count": (10, 100, {"scale_out": 2}, 12),
    "out: the step is enough": (10, 72, {"scale_out": 2}, 12),
    "out: percent is rounded up": (5, 100, {"scale_out": "10%"}, 6),
    "in: a count": (10, 10, {"scale_in": 2}, 8),
    "in: the step is enough": (10, 48, {"scale_in": 2}, 8),
    "in: percent is rounded down": (5, 10, {"scale_in": "50%"}, 3),
    "in: percent is at least one": (5, 10, {"scale_in": "10%"}, 4),
}


@pytest.mark.parametrize(("size", "load", "rule", "to"), STEPS.values(), ids=STEPS.keys())
def test_no_decision_moves_more_than_its_step(
    size: int, load: float, rule: dict[str, Any], to: int
) -> None:
    web = plan(cpu(), **{**EAGER, "max_step": {**EAGER["max_step"], **rule}})
    assert size_after(decide(web, seen(size, cpu=load), watched(web, size))) == to


COOLDOWN: dict[str, Any] = {**EAGER, "cooldown": {"scale_out": "2m", "scale_in": "10m"}}

# settled minutes ago (any change, growth), CPU -> code
COOLING: dict[str, tuple[float | None, float | None, float, str]] = {
    "out: a second too early": (2, 2 - 1 / 60, 90, "cooldown_out"),
    "out: just over": (2, 2, 90, "scale_out"),
    "out: a shrinking does not matter": (0.1, None, 90, "scale_out"),
    "out: never changed": (None, None, 90, "scale_out"),
    "in: a second too early": (10 - 1 / 60, None, 30, "cooldown_in"),
    "in: just over": (10, None, 30, "scale_in"),
    "in: a growth matters too": (9, 9, 30, "cooldown_in"),
    "in: never changed": (None, None, 30, "scale_in"),
    "on target: nothing to wait for": (0.1, 0.1, 60, "on_target"),
}


@pytest.mark.parametrize(("settled", "grown", "load", "code"), COOLING.values(), ids=COOLING.keys())
def test_cooldown_per_direction(
    settled: float | None, grown: float | None, load: float, code: str
) -> None:
    web = plan(cpu(), **COOLDOWN)
    memory = watched(
        web,
        10,
        settled_at=None if settled is None else ago(settled),
        settled_out_at=None if grown is None else ago(grown),
    )
    decision = decide(web, seen(10, cpu=load), memory)
    assert decisive(decision) == code
    assert isinstance(decision, Resize) == code.startswith("scale_")


# first seen, size -> by whoever: when does it settle
def test_cooldown_counts_from_settled_not_from_the_write() -> None:
    web = plan(cpu(), **COOLDOWN)
    written = watched(web, 10, change="out", changed_at=ago(30), changing=25)
    running = decide(web, seen(10, cpu=90), written)
    assert running.verdict.memory.settled_out_at == running.verdict.memory.settled_at
    assert decisive(running) == "cooldown_out"  # settled in this very tick


@pytest.mark.parametrize(("size", "grows"), [(12, True), (8, False)])
def test_changes_by_others_are_noticed(size: int, grows: bool) -> None:
    web = plan(cpu(), **COOLDOWN)
    memory = decide(web, seen(size, cpu=60), watched(web, 10)).verdict.memory
    assert memory.settled_at is not None  # RUNNING with the count at the size: settled at once
    assert (memory.settled_out_at is not None) == grows


# size, running, state, changing since minutes -> settled
SETTLED: dict[str, tuple[int, str, float, bool]] = {
    "running with all of them": (10, "RUNNING", 1, True),
    "one is missing": (9, "RUNNING", 1, False),
    "one is still going": (11, "RUNNING", 1, False),
    "all of them, but still scaling": (10, "SCALING", 1, False),
    "one is missing at the deadline": (9, "RUNNING", 10, False),
    "one is missing beyond the deadline: it got what it got": (9, "RUNNING", 10.1, True),
}


@pytest.mark.parametrize(
    ("active", "state", "since", "settled"), SETTLED.values(), ids=SETTLED.keys()
)
def test_settled_is_running_with_the_count_at_the_size(
    active: int, state: str, since: float, settled: bool
) -> None:
    web = plan(cpu(), **EAGER)
    memory = watched(web, 10, change="out", changed_at=ago(since), changing=3)
    decision = decide(web, seen(10, active, state=state, cpu=90), memory)
    assert (decision.verdict.memory.change is None) == settled
    assert ("unsettled" in codes(decision)) != settled


def test_bounds_move_an_unsettled_pool_metrics_do_not() -> None:
    web = plan(cpu(), **EAGER, schedules=[window("day", "08:00", "18:00", 12)])
    memory = watched(web, 10, change="out", changed_at=ago(1), changing=2)
    decision = decide(web, seen(10, 8, cpu=100), memory)
    assert (size_after(decision), "unsettled" in codes(decision)) == (12, True)


LATER, NOW, BEFORE = ago(-5), ago(0), ago(5)

# back-off, CPU -> size after, code
BLOCKED: dict[str, tuple[Blocked, float, int, str]] = {
    "capacity stops growth": (Blocked(LATER, None, "OutOfCapacity"), 90, 10, "blocked_capacity"),
    "capacity does not stop shrinking": (Blocked(LATER), 30, 5, "scale_in"),
    "until its very instant": (Blocked(NOW), 90, 15, "scale_out"),
    "and not after it": (Blocked(BEFORE), 90, 15, "scale_out"),
    "a failed write stops growth": (
        Blocked(None, LATER, "NotAuthorized"),
        90,
        10,
        "blocked_writes",
    ),
    "a failed write stops shrinking": (Blocked(None, LATER), 30, 10, "blocked_writes"),
    "until its very instant too": (Blocked(None, NOW), 30, 5, "scale_in"),
    "nothing wanted, nothing blocked": (Blocked(LATER, LATER), 60, 10, "on_target"),
}


@pytest.mark.parametrize(("block", "load", "to", "code"), BLOCKED.values(), ids=BLOCKED.keys())
def test_back_off(block: Blocked, load: float, to: int, code: str) -> None:
    web = plan(cpu(), **EAGER)
    decision = decide(web, seen(10, cpu=load, blocked=block), watched(web, 10))
    assert (size_after(decision), decisive(decision)) == (to, code)
    assert decision.verdict.status == ("warning" if code.startswith("blocked") else "healthy")


def test_a_floor_does_not_hammer_a_cloud_without_capacity() -> None:
    web = plan(limits={"min": 20, "max": 50})
    decision = decide(web, seen(10, blocked=Blocked(LATER)), watched(web, 10))
    assert (size_after(decision), decisive(decision)) == (10, "blocked_capacity")


# removable, size, ceiling or CPU -> size after
REMOVALS: dict[str, tuple[int | None, dict[str, Any], float, int]] = {
    "no allowance set": (None, {}, 30, 5),
    "enough": (5, {}, 30, 5),
    "one fewer": (4, {}, 30, 6),
    "none left": (0, {}, 30, 10),
    "overdrawn": (-3, {}, 30, 10),
    "growth is no removal": (0, {}, 90, 15),
    "a ceiling keeps it too": (2, {"limits": {"min": 1, "max": 4}}, 60, 8),
    "so does an override": (
        2, {"overrides": [{"target_instances": 1, "until": LATER}]}, 60, 8,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("removable", "keys", "load", "to"), REMOVALS.values(), ids=REMOVALS.keys()
)
def test_the_guards_allowance_of_removals(
    removable: int | None, keys: dict[str, Any], load: float, to: int
) -> None:
    web = plan(cpu(), **{**EAGER, **keys})
    guard = Guard(removable=removable)
    decision = decide(web, seen(10, cpu=load, guard=guard), watched(web, 10))
    assert size_after(decision) == to
    assert ("removals_spent" in codes(decision)) == (to in {6, 8, 10})


def test_the_stages_come_in_their_order() -> None:
    """Every stage has something to say: vote, anti-flap, stabilization, step, cooldown, bounds."""
    web = plan(
        steps(80, 60, 9),
        limits={"min": 1, "max": 6},
        max_step={"scale_out": 1, "scale_in": 1},
        stabilization={"scale_in": "5m"},
        cooldown={"scale_in": "10m"},
    )
    memory = watched(web, 10, need=9, settled_at=ago(5))
    guard = Guard(removable=1)
    decision = decide(web, seen(10, memory=series(50), guard=guard), memory)
    assert codes(decision) == [
        "step_in",
        "anti_flap",
        "stabilizing_in",
        "cooldown_in",
        "above_ceiling",
        "removals_spent",
        "scale_in",
    ]
    assert size_after(decision) == 9
