"""Small worlds, all of them: every size, load and limit, and what must hold in each."""

from itertools import product
from typing import Any

import pytest

from shared.engine.decide import decide
from shared.engine.model import Blocked, Decision, Guard, Memory
from tests.engine_worlds import (
    EAGER,
    ago,
    cpu,
    ladder,
    plan,
    queue,
    seen,
    series,
    size_after,
    watched,
)

SIZES = range(31)
LOADS = [0, 1, 20, 29, 30, 53, 54, 55, 60, 65, 66, 67, 80, 81, 95, 96, 100]
LIMITS = [(0, 0), (0, 30), (1, 10), (3, 20), (25, 30)]

QUICK_STEPS = ladder(
    scale_out={"for": "1m", "steps": [{"above": 80, "add": 2}, {"above": 95, "add": 5}]},
    scale_in={"for": "1m", "steps": [{"below": 30, "remove": 1}]},
)
POLICIES: dict[str, list[dict[str, Any]]] = {
    "tracking": [cpu()],
    "demand": [cpu(demand={"percentile": 90, "window": "2m"})],
    "tracking with headroom": [cpu(headroom=3)],
    "demand with headroom": [cpu(headroom=2, demand={"percentile": 90, "window": "2m"})],
    "maximum": [cpu(statistic="max")],
    "steps": [QUICK_STEPS],
    "tracking and growing steps": [cpu(), {**QUICK_STEPS, "scale_in": None}],
    "a total": [queue()],
}


def metrics(load: float | None, size: int) -> dict[str, Any]:
    """The load as each kind of policy sees it; a total grows with the load alone."""
    if load is None:
        return {}
    steady = series(load, load, samples=size or None)
    return {"cpu": steady, "memory": steady, "queue": 30 * load}


@pytest.mark.parametrize("speed", [EAGER, {}], ids=["eager", "defaults"])
@pytest.mark.parametrize("policies", POLICIES.values(), ids=POLICIES.keys())
def test_the_size_stays_within_the_bounds_and_grows_with_the_load(
    policies: list[dict[str, Any]], speed: dict[str, Any]
) -> None:
    for (low, high), size in product(LIMITS, SIZES):
        web = plan(*policies, limits={"min": low, "max": high}, **speed)
        memory = watched(web, size, need=0)
        sizes = [
            size_after(decide(web, seen(size, **metrics(load, size)), memory)) for load in LOADS
        ]
        assert all(low <= to <= high for to in sizes), (low, high, size, sizes)
        assert sizes == sorted(sizes), (low, high, size, sizes)


@pytest.mark.parametrize("policies", POLICIES.values(), ids=POLICIES.keys())
def test_missing_data_never_shrinks(policies: list[dict[str, Any]]) -> None:
    extra = cpu(name="other", metric="DiskUtilization")
    for size, load in product(SIZES, [None, *LOADS]):
        web = plan(*policies, extra, limits={"min": 0, "max": 30}, **EAGER)
        decision = decide(web, seen(size, **metrics(load, size)), watched(web, size, need=0))
        assert size_after(decision) >= size, (size, load)


def test_silent_members_never_make_a_pool_smaller_than_all_reporting_would() -> None:
    web = plan(cpu(), limits={"min": 0, "max": 30}, **EAGER)
    for size, load in product(range(1, 31), LOADS):
        memory = watched(web, size, need=0)
        full, *partial = (
            size_after(decide(web, seen(size, cpu=series(load, samples=samples)), memory))
            for samples in range(size, 0, -1)
        )
        assert all(to >= min(size, full) for to in partial), (size, load, full, partial)


GUARDS = [None, Guard(max=7), Guard(min=4), Guard(4, 7), Guard(removable=2), Guard(0, 0)]


def test_nothing_exceeds_limits_max_or_the_guard() -> None:
    web = plan(cpu(), queue(), limits={"min": 0, "max": 20}, **EAGER)
    for guard, size, load in product(GUARDS, SIZES, [None, *LOADS]):
        decision = decide(web, seen(size, guard=guard, **metrics(load, size)), Memory())
        to = size_after(decision)
        removable = guard.removable if guard is not None else None
        if removable is not None:
            assert size - to <= removable
            continue
        assert to <= 20
        if guard is not None:
            assert to <= (20 if guard.max is None else guard.max)
            assert to >= (guard.min or 0)


def test_blocked_writes_leave_every_size_alone() -> None:
    web = plan(cpu(), limits={"min": 3, "max": 20}, **EAGER)
    block = Blocked(writes_until=ago(-1))
    for size, load in product(SIZES, [None, *LOADS]):
        observation = seen(size, blocked=block, **metrics(load, size))
        assert size_after(decide(web, observation, watched(web, size))) == size


def test_deciding_twice_gives_the_same_decision() -> None:
    web = plan(cpu(), queue(), ladder(), limits={"min": 0, "max": 30})
    for size, load in product(SIZES, [None, *LOADS]):
        observation, memory = seen(size, **metrics(load, size)), watched(web, size)
        first: Decision = decide(web, observation, memory)
        assert decide(web, observation, memory) == first
