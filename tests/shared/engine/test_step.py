"""Step policies: the farthest rung whose threshold held in every closed window of `for`."""

from typing import Any

import pytest

from shared.engine.model import Reading
from tests.engine_worlds import (
    ago,
    ladder,
    per_instance,
    plan,
    seen,
    series,
    vote_of,
    wanted,
    watched,
)

# windows newest first (None: missing), size -> wanted, code
HELD: dict[str, tuple[list[object], int, int | str, str]] = {
    "above in all three: +2": ([81, 81, 81], 10, 12, "step_out"),
    "exactly on the threshold is not above": ([81, 80, 81], 10, "NoOpinion", "no_breach"),
    "two windows are not three": ([90, 90], 10, "NoOpinion", "no_breach"),
    "the oldest one fell short": ([90, 90, 79], 10, "NoOpinion", "no_breach"),
    "a missing window breaks the run": ([90, None, 90, 90], 10, "NoOpinion", "no_breach"),
    "the farthest rung that held in all": ([96, 97, 98], 10, 15, "step_out"),
    "one window below the far rung: the near one": ([96, 95, 98], 10, 12, "step_out"),
    "half of 5 more is rounded up": ([99, 99, 99], 5, 8, "step_out"),
    "below in all five: -1": ([29] * 5, 10, 9, "step_in"),
    "exactly on the threshold is not below": ([29, 29, 30, 29, 29], 10, "NoOpinion", "no_breach"),
    "four windows are not five": ([29] * 4, 10, "NoOpinion", "no_breach"),
    "a gap never shrinks": ([29, 29, None, 29, 29, 29], 10, "NoOpinion", "no_breach"),
    "between the thresholds": ([50] * 5, 10, "NoOpinion", "no_breach"),
    "the last one may go": ([10] * 5, 1, 0, "step_in"),
}


@pytest.mark.parametrize(("values", "size", "need", "code"), HELD.values(), ids=HELD.keys())
def test_a_rung_must_hold_in_every_window(
    values: list[object], size: int, need: int | str, code: str
) -> None:
    web = plan(ladder())
    vote = vote_of(web, seen(size, memory=series(*values)), watched(web, size))
    assert (wanted(vote), vote.reason.code) == (need, code)


# what to add above 80 and remove below 30, size -> after growing, after shrinking
ROUNDING: dict[str, tuple[Any, Any, int, int, int]] = {
    "counts": (3, 2, 10, 13, 8),
    "percent up is rounded up": ("25%", "25%", 10, 13, 8),
    "percent down is rounded down": ("50%", "50%", 5, 8, 3),
    "percent is at least one": ("1%", "1%", 10, 11, 9),
    "exact percent": ("10%", "10%", 30, 33, 27),
    "more than there are": (1, 20, 5, 6, 0),
    "doubling and all": ("100%", "100%", 7, 14, 0),
}


@pytest.mark.parametrize(
    ("add", "remove", "size", "up", "down"), ROUNDING.values(), ids=ROUNDING.keys()
)
def test_percent_steps_are_rounded_away_from_nothing(
    add: Any, remove: Any, size: int, up: int, down: int
) -> None:
    web = plan(
        ladder(
            scale_out={"for": "1m", "steps": [{"above": 80, "add": add}]},
            scale_in={"for": "1m", "steps": [{"below": 30, "remove": remove}]},
        )
    )
    assert wanted(vote_of(web, seen(size, memory=90), watched(web, size))) == up
    assert wanted(vote_of(web, seen(size, memory=10), watched(web, size))) == down


def test_the_lowest_below_that_held_counts() -> None:
    rungs = [{"below": 30, "remove": 1}, {"below": 10, "remove": 5}]
    web = plan(ladder(scale_in={"for": "2m", "steps": rungs}))
    assert wanted(vote_of(web, seen(memory=series(9, 9)))) == 5
    assert wanted(vote_of(web, seen(memory=series(9, 10)))) == 9


# settled minutes ago, with a warm-up of one minute; windows end 2, 3 and 4 min ago
SETTLED: dict[str, tuple[float, int | str]] = {
    "the oldest window closed just as the pool was warm": (5, 12),
    "a second later it does not count": (5 - 1 / 60, "NoOpinion"),
    "long ago": (60, 12),
}


@pytest.mark.parametrize(("settled", "need"), SETTLED.values(), ids=SETTLED.keys())
def test_windows_before_settling_and_warm_up_do_not_count(settled: float, need: int | str) -> None:
    web = plan(ladder())
    memory = watched(web, 10, settled_at=ago(settled))
    assert wanted(vote_of(web, seen(memory=series(90, 90, 90)), memory)) == need


def test_an_unsettled_pool_breaches_nothing() -> None:
    web = plan(ladder())
    memory = watched(web, 10, change="out", changed_at=ago(1), changing=2)
    vote = vote_of(web, seen(10, 8, memory=series(99, 99, 99)), memory)
    assert wanted(vote) == "NoOpinion"


def test_for_is_counted_in_windows_of_the_metric() -> None:
    out = {"for": "12m", "steps": [{"above": 80, "add": 1}]}
    web = plan(ladder(interval="5m", scale_out=out), stale_after="15m")
    points = tuple((ago(2 + 5 * i), 90.0, None) for i in range(3))  # 12 min need three windows
    three = Reading(90.0, ago(2), None, None, points[1:])
    two = Reading(90.0, ago(2), None, None, points[1:2])
    assert wanted(vote_of(web, seen(memory=three))) == 11
    assert wanted(vote_of(web, seen(memory=two))) == "NoOpinion"


def test_for_zero_is_one_window() -> None:
    web = plan(ladder(scale_out={"for": "0s", "steps": [{"above": 80, "add": 1}]}))
    assert wanted(vote_of(web, seen(memory=81))) == 11


# mean over how many of the ten -> wanted: silent members count 100 against shrinking
SILENT: dict[str, tuple[int | None, int | str]] = {
    "all of them": (10, 9),
    "nine: (9 × 20 + 100) / 10 is 28, below 30": (9, 9),
    "eight: (8 × 20 + 200) / 10 is 36, not below 30": (8, "NoOpinion"),
    "unknown: as it is": (None, 9),
}


@pytest.mark.parametrize(("samples", "need"), SILENT.values(), ids=SILENT.keys())
def test_silent_members_hold_a_shrinking_mean(samples: int | None, need: int | str) -> None:
    web = plan(ladder())
    reading = series(*[20] * 5, samples=samples)
    assert wanted(vote_of(web, seen(memory=reading))) == need


def test_maxima_are_taken_as_they_are() -> None:
    web = plan(ladder(statistic="max"))
    assert wanted(vote_of(web, seen(memory=series(*[20] * 5, samples=1)))) == 9


QUERY = {"metric": None, "namespace": "my_app", "query": "QueueDepth[1m].max()", "unit": "count"}


def test_at_size_zero_a_query_decides_and_percent_counts_at_least_one() -> None:
    out = {"for": "1m", "steps": [{"above": 80, "add": "50%"}]}
    rules = ladder(**QUERY, scale_out=out)
    del rules["metric"]
    backlog = plan(rules, limits={"min": 0, "max": 5})
    assert wanted(vote_of(backlog, seen(0, memory=81), watched(backlog, 0))) == 1
    assert wanted(vote_of(backlog, seen(0, memory=series(*[5] * 5)), watched(backlog, 0))) == (
        "NoOpinion"
    )


@pytest.mark.parametrize("reading", [series(99, 99, 99), Reading()], ids=["data", "no data"])
def test_at_size_zero_utilisation_has_no_opinion(reading: Reading) -> None:
    web = plan(ladder(), limits={"min": 0, "max": 5})
    vote = vote_of(web, seen(0, memory=reading), watched(web, 0))
    assert (wanted(vote), vote.reason.code) == ("NoOpinion", "size_zero")


def test_the_edge_of_a_step_never_names_less_than_nobody() -> None:
    web = plan(ladder(scale_in={"for": "1m", "steps": [{"below": 30, "remove": 9}]}))
    vote = vote_of(web, seen(5, memory=50), watched(web, 5))
    assert vote.shrinks is not None
    assert vote.shrinks.size == 0


def test_nothing_runs_although_instances_are_wanted() -> None:
    web = plan(ladder())
    vote = vote_of(web, seen(3, 0, memory=per_instance({"a": 99})), watched(web, 3))
    assert (wanted(vote), vote.reason.code) == ("NoOpinion", "size_zero")
