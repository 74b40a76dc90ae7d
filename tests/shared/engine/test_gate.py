"""The gate: when a pool is not resized whatever is wanted, and that the want is still computed."""

from datetime import timedelta
from typing import Any, Literal

import pytest

from shared.engine.decide import decide
from shared.engine.model import LastWrite, Memory, Observation, Resize
from shared.engine.settle import settle_deadline
from tests.engine_worlds import (
    EAGER,
    NOON,
    ago,
    codes,
    cpu,
    decisive,
    plan,
    seen,
    size_after,
    watched,
)

# state -> code, status
STATES: dict[str, tuple[str, str, str]] = {
    "scaling": ("SCALING", "pool_busy", "healthy"),
    "provisioning": ("PROVISIONING", "pool_busy", "healthy"),
    "starting": ("STARTING", "pool_busy", "healthy"),
    "stopping": ("STOPPING", "pool_busy", "healthy"),
    "written in lower case": ("scaling", "pool_busy", "healthy"),
    "a state of tomorrow": ("REBALANCING", "pool_busy", "warning"),
    "stopped": ("STOPPED", "pool_stopped", "warning"),
    "terminating": ("TERMINATING", "pool_missing", "error"),
    "terminated": ("TERMINATED", "pool_missing", "error"),
}


@pytest.mark.parametrize(("state", "code", "status"), STATES.values(), ids=STATES.keys())
def test_only_a_running_pool_is_resized(state: str, code: str, status: str) -> None:
    web = plan(cpu(), **EAGER)
    decision = decide(web, seen(10, state=state, cpu=90), watched(web, 10))
    assert (size_after(decision), decisive(decision)) == (10, code)
    assert decision.verdict.desired == 15  # what it would want is still computed
    assert decision.verdict.status == status


@pytest.mark.parametrize("state", ["RUNNING", "Running"])
def test_a_running_pool_is_resized(state: str) -> None:
    web = plan(cpu(), **EAGER)
    assert size_after(decide(web, seen(10, state=state, cpu=90), watched(web, 10))) == 15


PROBLEMS: dict[Literal["missing", "forbidden", "unknown"], tuple[str, str]] = {
    "missing": ("pool_missing", "error"),
    "forbidden": ("pool_forbidden", "error"),
    "unknown": ("pool_unknown", "warning"),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_pool_that_cannot_be_read_is_held_and_nothing_is_forgotten(
    problem: Literal["missing", "forbidden", "unknown"],
) -> None:
    web = plan(cpu())
    before = watched(web, 7, settled_at=ago(2))
    decision = decide(web, Observation(NOON, None, problem), before)
    assert (decision.verdict.current, decision.verdict.desired) == (7, 7)
    assert (decisive(decision), decision.verdict.status) == PROBLEMS[problem]
    after = decision.verdict.memory
    assert (after.needs, after.size, after.settled_at) == (before.needs, 7, ago(2))


def test_a_pool_never_seen_and_not_readable_is_held_at_nothing() -> None:
    decision = decide(plan(cpu()), Observation(NOON, None, "unknown"), Memory())
    assert (decision.verdict.current, decisive(decision)) == (0, "pool_unknown")


# instances on their way, busy for minutes -> stuck
DEADLINES: dict[str, tuple[int, float, bool]] = {
    "one instance, 10 min: still busy": (1, 10, False),
    "one instance, a second more: stuck": (1, 10 + 1 / 60, True),
    "20 instances, 10 min: still busy": (20, 10, False),
    "20 instances, a second more: stuck": (20, 10 + 1 / 60, True),
    "21 instances have 20 min": (21, 20, False),
    "21 instances, a second more: stuck": (21, 20 + 1 / 60, True),
    "nobody knows of a change: 10 min": (0, 10, False),
    "nobody knows of a change, a second more: stuck": (0, 10 + 1 / 60, True),
}


@pytest.mark.parametrize(("changing", "minutes", "stuck"), DEADLINES.values(), ids=DEADLINES.keys())
def test_ten_minutes_for_each_twenty_instances(changing: int, minutes: float, stuck: bool) -> None:
    web = plan(cpu())
    since = NOON - timedelta(minutes=minutes)
    memory = watched(
        web,
        30,
        busy_since=since,
        change="out" if changing else None,
        changed_at=since if changing else None,
        changing=changing,
    )
    decision = decide(web, seen(30, 30 - changing, state="SCALING"), memory)
    assert decisive(decision) == ("pool_stuck" if stuck else "pool_busy")
    assert decision.verdict.status == ("error" if stuck else "warning")  # warning: no metrics


def test_a_change_made_while_busy_has_its_own_deadline() -> None:
    web = plan(cpu())
    memory = watched(web, 9, busy_since=ago(9), change="out", changed_at=ago(9), changing=1)
    grown = decide(web, seen(30, 9, state="SCALING"), memory).verdict.memory
    later = NOON + timedelta(minutes=15)  # busy for 24 min, but 21 instances for 15 only
    decision = decide(web, seen(30, 9, state="SCALING", now=later), grown)
    assert decisive(decision) == "pool_busy"


def test_a_settled_change_does_not_lengthen_the_next_deadline() -> None:
    web = plan(cpu())
    memory = watched(web, 90, change="out", changed_at=ago(1), changing=80)
    settled = decide(web, seen(90), memory).verdict.memory
    busy = decide(web, seen(90, state="SCALING"), settled).verdict.memory
    late = seen(90, state="SCALING", now=NOON + settle_deadline(1) + timedelta(seconds=1))
    assert decisive(decide(web, late, busy)) == "pool_stuck"


@pytest.mark.parametrize("mode", ["paused", "observe"])
@pytest.mark.parametrize(("size", "would"), [(1, 4), (40, 20), (10, 15)])
def test_paused_and_observed_pools_are_never_resized_not_even_into_their_limits(
    mode: str, size: int, would: int
) -> None:
    web = plan(cpu(), mode=mode, limits={"min": 4, "max": 20}, **EAGER)
    decision = decide(web, seen(size, cpu=90), watched(web, size))
    assert size_after(decision) == size
    assert decision.verdict.desired == would
    assert decisive(decision) == mode
    assert f"would go to {would}" in decision.verdict.reasons[-1].text


def test_a_paused_pool_that_is_busy_says_both() -> None:
    web = plan(cpu(), mode="paused")
    decision = decide(web, seen(10, state="SCALING", cpu=60), watched(web, 10))
    assert codes(decision)[-3:] == ["pool_busy", "paused", "paused"]


# our last write -> is it visible
WRITES: dict[str, tuple[LastWrite, dict[str, Any], bool]] = {
    "written a minute ago, the list shows the old size": (LastWrite(15, ago(1)), {}, False),
    "the list may lag for 3 min, a second less": (LastWrite(15, ago(2.99)), {}, False),
    "after 3 min the list is believed": (LastWrite(15, ago(3)), {}, True),
    "the size is there": (LastWrite(10, ago(0.5)), {}, True),
    "it was there, and somebody changed it since": (
        LastWrite(15, ago(2)), {"changed_at": ago(1)}, True,
    ),
    "the change that was seen is older than the write": (
        LastWrite(15, ago(1)), {"changed_at": ago(2)}, False,
    ),
    "the clock was set back a little": (LastWrite(15, ago(-1)), {}, False),
    "the clock was set back by hours": (LastWrite(15, ago(-120)), {}, True),
}  # fmt: skip


@pytest.mark.parametrize(("write", "changes", "visible"), WRITES.values(), ids=WRITES.keys())
def test_what_a_list_shows_before_our_write_is_old(
    write: LastWrite, changes: dict[str, Any], visible: bool
) -> None:
    web = plan(cpu(), **EAGER)
    decision = decide(web, seen(10, cpu=90, last_write=write), watched(web, 10, **changes))
    assert isinstance(decision, Resize) == visible
    assert ("write_not_visible" in codes(decision)) != visible


def test_leaving_pause_enters_through_max_step() -> None:
    paused = plan(mode="paused", limits={"min": 20, "max": 50})
    active = plan(limits={"min": 20, "max": 50}, max_step={"scale_out": "100%", "scale_in": 1})
    memory = decide(paused, seen(4), Memory()).verdict.memory
    sizes = [4]
    for tick in range(1, 5):
        now = NOON + timedelta(minutes=tick)
        decision = decide(active, seen(sizes[-1], now=now), memory)
        memory, sizes = decision.verdict.memory, [*sizes, size_after(decision)]
        if tick < 3:
            assert decisive(decision) == "scale_out"
            assert "reentering" in codes(decision)
    assert sizes == [4, 8, 16, 20, 20]
    assert not memory.reentering


@pytest.mark.parametrize("mode", ["paused", "observe"])
def test_leaving_pause_or_observe_shrinks_in_steps_too(mode: str) -> None:
    keys = {"limits": {"min": 1, "max": 5}, "max_step": {"scale_out": 1, "scale_in": 4}}
    memory = decide(plan(mode=mode, **keys), seen(20), Memory()).verdict.memory
    decision = decide(plan(**keys), seen(20), memory)
    assert size_after(decision) == 16


def test_a_pool_inside_its_bounds_has_re_entered_at_once() -> None:
    memory = decide(plan(mode="paused"), seen(4), Memory()).verdict.memory
    inside = decide(plan(), seen(4), memory).verdict.memory
    floor = plan(limits={"min": 30, "max": 50}, max_step={"scale_out": 1, "scale_in": 1})
    assert size_after(decide(floor, seen(4), inside)) == 30
