"""Readings become trusted windows; what is bad is refused one by one and counted."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.engine.decide import decide
from shared.engine.model import Hold, Reading, Resize
from shared.engine.samples import Reader, Trust, check_value, read
from tests.engine_worlds import (
    NOON,
    ago,
    codes,
    cpu,
    plan,
    seen,
    series,
    texts,
    vote_of,
    wanted,
    watched,
)

# value, is it a percentage -> value or kind of refusal
VALUES: dict[str, tuple[object, bool, float | str]] = {
    "a float": (60.5, True, 60.5),
    "an integer": (60, True, 60.0),
    "zero": (0, True, 0.0),
    "minus zero is zero": (-0.0, True, 0.0),
    "exactly 100 %": (100.0, True, 100.0),
    "a little over 100 % reads as 100": (100.0001, True, 100.0),
    "110 % still reads as 100": (110, True, 100.0),
    "more than 110 % is absurd": (110.0001, True, "absurd"),
    "110 of another unit is 110": (110.0, False, 110.0),
    "a million is a number": (1_000_000, False, 1e6),
    "the largest believable": (1e15, False, 1e15),
    "larger is absurd": (1.1e15, False, "absurd"),
    "1e308": (1e308, False, "absurd"),
    "an integer beyond all floats": (10**400, False, "absurd"),
    "a negative one": (-1.0, True, "negative"),
    "a hair below zero": (-1e-9, False, "negative"),
    "a negative integer beyond all floats": (-(10**400), False, "absurd"),
    "not a number": (math.nan, True, "nan"),
    "infinite": (math.inf, True, "infinite"),
    "infinite the other way": (-math.inf, False, "infinite"),
    "text": ("60", True, "text"),
    "nothing": (None, True, "text"),
    "true is not one": (True, True, "text"),
    "a list": ([60], False, "text"),
}


@pytest.mark.parametrize(("value", "percent", "found"), VALUES.values(), ids=VALUES.keys())
def test_every_value_is_checked(value: object, percent: bool, found: float | str) -> None:
    assert check_value(value, percent=percent) == found


def trust(percent: bool = True) -> Trust:
    return Trust(NOON, timedelta(minutes=2), timedelta(minutes=6), percent)


# age in minutes of the only window -> trusted, stale
AGES: dict[str, tuple[float, bool, bool]] = {
    "a second younger than the lag": (2 - 1 / 60, False, False),
    "exactly the lag": (2, True, False),
    "exactly stale_after": (6, True, False),
    "a second older": (6 + 1 / 60, True, True),
    "from the future": (-1, False, False),
}


@pytest.mark.parametrize(("age", "trusted", "stale"), AGES.values(), ids=AGES.keys())
def test_age_is_counted_from_the_end_of_the_window(age: float, trusted: bool, stale: bool) -> None:
    found = read(series(60, newest=age), trust())
    assert (bool(found.windows), found.stale) == (trusted, stale)
    assert (found.newest is not None) == (trusted and not stale)


def test_a_stale_metric_is_no_data_and_says_how_old() -> None:
    web = plan(cpu())
    old = decide(web, seen(cpu=series(90, newest=7)), watched(web))
    assert codes(old) == ["metric_stale", "on_missing_hold", "on_missing_hold"]
    assert "7 min old" in texts(old)


def test_windows_are_sorted_and_the_first_of_an_end_wins() -> None:
    history = ((ago(5), 50, 1), (ago(2), 99, 1), (ago(4), 40, 2), (ago(4), 77, 3), (ago(3), 30, 0))
    found = read(Reading(20, ago(2), 9, None, history), trust())
    assert [(w.value, w.samples) for w in found.windows] == [
        (50, 1), (40, 2), (30, None), (20, 9),
    ]  # fmt: skip
    assert found.rejected == (("duplicate", 2),)


def test_a_bad_first_one_leaves_its_place_to_a_good_one() -> None:
    found = read(Reading(math.nan, ago(2), 9, None, ((ago(2), 60, 8),)), trust())
    assert [w.value for w in found.windows] == [60]
    assert found.rejected == (("nan", 1),)


def test_bad_values_of_single_instances_are_refused_alone() -> None:
    values: dict[str, object] = {"a": 30, "b": math.nan, "c": "x", "d": -1, "e": 105, "f": 500}
    found = read(Reading(30, ago(2), 6, values), trust())
    assert found.instances == {"a": 30, "e": 100}
    assert found.rejected == (("absurd", 1), ("nan", 1), ("negative", 1), ("text", 1))


def test_values_per_instance_belong_to_the_newest_window_only() -> None:
    young = Reading(30, ago(1), 2, {"a": 30, "b": 30}, ((ago(2), 60, 2),))
    assert read(young, trust()).instances is None


def test_refused_samples_are_counted_in_the_reasons() -> None:
    web = plan(cpu())
    reading = Reading(60, ago(2), 10, None, ((ago(3), math.inf, 1), (ago(4), "x", 1)))
    decision = decide(web, seen(cpu=reading), watched(web))
    assert "samples_rejected" in codes(decision)
    assert "refused samples: 1 infinite, 1 text" in texts(decision)


def test_a_refused_newest_window_leaves_the_one_before() -> None:
    web = plan(cpu())
    reading = Reading(1e308, ago(2), 10, None, ((ago(3), 90, 10),))
    assert wanted(vote_of(web, seen(cpu=reading))) == 15


ANYTHING: st.SearchStrategy[object] = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 1e308, -1e308, 5e-324, True, None, "60", b"", [], {}]),
    st.text(max_size=3),
)
INSTANTS = st.integers(-180, 1200).map(lambda seconds: NOON - timedelta(seconds=seconds))
COUNTS = st.none() | st.integers(0, 2**40)
READINGS = st.builds(
    Reading,
    value=ANYTHING,
    at=st.none() | INSTANTS,
    samples=COUNTS,
    instances=st.none() | st.dictionaries(st.text(max_size=2), ANYTHING, max_size=4),
    history=st.lists(st.tuples(INSTANTS, ANYTHING, COUNTS), max_size=12).map(tuple),
    error=st.none() | st.just("HTTP 500"),
)
POLICIES: dict[str, dict[str, Any]] = {
    "tracking": cpu(),
    "tracking of a count": cpu(unit="count", target=1e-9),
    "demand": cpu(demand={"percentile": 90, "window": "5m"}),
    "maximum": cpu(statistic="max"),
    "step": cpu(
        type="step",
        target=None,
        scale_out={"for": "2m", "steps": [{"above": 80, "add": 1}]},
        scale_in={"for": "2m", "steps": [{"below": 20, "remove": 1}]},
    ),
}
POLICIES["step"].pop("target")


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
@settings(max_examples=120, deadline=None)
@given(reading=READINGS, size=st.integers(0, 12), active=st.integers(0, 12))
def test_no_reading_ever_raises_and_every_window_is_used_or_counted(
    policy: dict[str, Any], reading: Reading, size: int, active: int
) -> None:
    web = plan(policy, limits={"min": 0, "max": 12})
    decision = decide(web, seen(size, active, cpu=reading), watched(web, size))
    assert isinstance(decision, Hold | Resize)
    assert decision.verdict.reasons
    assert 0 <= decision.verdict.desired <= 12
    found = read(reading, trust(percent=web.voters[0][1]))
    ends = [at for at, *_ in reading.history] + ([reading.at] if reading.at else [])
    young = sum(ago(2) < end <= NOON for end in ends)
    refused = sum(count for _, count in found.rejected)
    of_instances = refused - (len(ends) - young - len(found.windows))
    assert 0 <= of_instances <= len(reading.instances or {})


GOOD = st.builds(
    Reading,
    value=st.floats(0, 100),
    at=INSTANTS,
    samples=st.integers(1, 9),
    history=st.lists(st.tuples(INSTANTS, st.floats(0, 100), COUNTS), max_size=6).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(
    readings=st.lists(READINGS | GOOD, min_size=1, max_size=3),
    ticks=st.lists(st.tuples(st.integers(0, 2), st.integers(-600, 900)), max_size=12),
)
def test_a_reader_that_is_asked_again_says_what_a_fresh_look_says(
    readings: list[Reading], ticks: list[tuple[int, int]]
) -> None:
    """Also when time goes back, and when a window has come of age since."""
    reader = Reader()
    for which, second in ticks:
        reading = readings[which % len(readings)]
        now = trust()._replace(now=NOON + timedelta(seconds=second))
        assert repr(reader(reading, now)) == repr(read(reading, now))
