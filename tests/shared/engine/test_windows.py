"""Schedules are states: the laws of midnight and of the clocks, by example and by exhaustion."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.config.models import Schedule
from shared.engine.windows import (
    closes_at,
    is_open,
    next_change,
    occurrences,
    steady_until,
    window_of,
)
from tests.engine_worlds import window

BERLIN = "Europe/Berlin"


def schedule(start: str, end: str, **keys: Any) -> Schedule:
    return Schedule.model_validate(window("w", start, end, 5, **keys))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)  # 02:00-03:00 is skipped, is repeated

# zone, start day, start, end -> UTC from, to; None: empty that day
RESOLVED: dict[str, tuple[str, date, str, str, tuple[str, str] | None]] = {
    "an ordinary winter day": (
        BERLIN, date(2026, 1, 15), "08:00", "18:00", ("2026-01-15T07:00", "2026-01-15T17:00"),
    ),
    "crosses midnight": (
        BERLIN, date(2026, 1, 15), "22:00", "06:00", ("2026-01-15T21:00", "2026-01-16T05:00"),
    ),
    "24:00 is the next midnight": (
        BERLIN, date(2026, 1, 15), "08:00", "24:00", ("2026-01-15T07:00", "2026-01-15T23:00"),
    ),
    "a whole day": (
        BERLIN, date(2026, 1, 15), "00:00", "24:00", ("2026-01-14T23:00", "2026-01-15T23:00"),
    ),
    "a start in the gap is the gap's end": (
        BERLIN, SPRING, "02:30", "05:00", ("2026-03-29T01:00", "2026-03-29T03:00"),
    ),
    "an end in the gap is the gap's end": (
        BERLIN, SPRING, "01:00", "02:30", ("2026-03-29T00:00", "2026-03-29T01:00"),
    ),
    "wholly inside the gap: empty": (BERLIN, SPRING, "02:15", "02:45", None),
    "from the gap's first minute to its last: empty": (BERLIN, SPRING, "02:00", "03:00", None),
    "over the gap: an hour shorter": (
        BERLIN, SPRING, "01:00", "04:00", ("2026-03-29T00:00", "2026-03-29T02:00"),
    ),
    "inside the fold: from the first start to the last end": (
        BERLIN, AUTUMN, "02:15", "02:45", ("2026-10-25T00:15", "2026-10-25T01:45"),
    ),
    "a start in the fold is its first": (
        BERLIN, AUTUMN, "02:30", "05:00", ("2026-10-25T00:30", "2026-10-25T04:00"),
    ),
    "an end in the fold is its last": (
        BERLIN, AUTUMN, "01:00", "02:30", ("2026-10-24T23:00", "2026-10-25T01:30"),
    ),
    "over the fold: an hour longer": (
        BERLIN, AUTUMN, "01:00", "04:00", ("2026-10-24T23:00", "2026-10-25T03:00"),
    ),
    "half an hour of summer time": (
        "Australia/Lord_Howe", date(2026, 10, 4), "02:10", "03:00",
        ("2026-10-03T15:30", "2026-10-03T16:00"),
    ),
    "a midnight that does not exist": (
        "America/Sao_Paulo", date(2018, 11, 4), "00:00", "08:00",
        ("2018-11-04T03:00", "2018-11-04T10:00"),
    ),
    "a day that does not exist": ("Pacific/Apia", date(2011, 12, 30), "08:00", "18:00", None),
}  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "day", "start", "end", "expected"), RESOLVED.values(), ids=RESOLVED.keys()
)
@pytest.mark.fault(19)
def test_a_window_runs_from_its_first_start_to_its_last_end(
    zone: str, day: date, start: str, end: str, expected: tuple[str, str] | None
) -> None:
    found = window_of(schedule(start, end), zone, day)
    assert found == (None if expected is None else (utc(expected[0]), utc(expected[1])))


# keys of 22:00-06:00 in UTC, instant -> open. 2026-01-16 is a Friday
BELONGS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "Friday's window on Friday": ({"days": ["fri"]}, "2026-01-16T23:00", True),
    "Friday's window covers Saturday 00-06": ({"days": ["fri"]}, "2026-01-17T05:59", True),
    "until 06:00, which is outside": ({"days": ["fri"]}, "2026-01-17T06:00", False),
    "Friday's window is not Friday 00-06": ({"days": ["fri"]}, "2026-01-16T05:00", False),
    "Saturday has no window of its own": ({"days": ["fri"]}, "2026-01-17T23:00", False),
    "an exception leaves out a start": ({"except": ["2026-01-16"]}, "2026-01-17T05:00", False),
    "an exception keeps what began the day before": (
        {"except": ["2026-01-16"]}, "2026-01-16T05:00", True,
    ),
    "`until` is the last start, inclusive": ({"until": "2026-01-16"}, "2026-01-17T05:00", True),
    "after `until` nothing starts": ({"until": "2026-01-16"}, "2026-01-17T22:00", False),
    "`from` is the first start, inclusive": ({"from": "2026-01-16"}, "2026-01-16T22:00", True),
    "before `from` nothing runs": ({"from": "2026-01-16"}, "2026-01-16T05:00", False),
    "ready early": ({"ready_early": "30m"}, "2026-01-16T21:30", True),
    "not earlier than that": ({"ready_early": "30m"}, "2026-01-16T21:29", False),
    "suspended": ({"active": False}, "2026-01-16T23:00", False),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "at", "open_then"), BELONGS.values(), ids=BELONGS.keys())
def test_a_window_belongs_to_the_day_on_which_it_starts(
    keys: dict[str, Any], at: str, open_then: bool
) -> None:
    assert is_open(schedule("22:00", "06:00", **keys), "UTC", utc(at)) == open_then


# schedule, zone, after -> next change
CHANGES: dict[str, tuple[Schedule, str, str, str | None]] = {
    "opens today": (schedule("08:00", "18:00"), "UTC", "2026-01-15T07:00", "2026-01-15T08:00"),
    "the edge itself is over": (
        schedule("08:00", "18:00"), "UTC", "2026-01-15T08:00", "2026-01-15T18:00",
    ),
    "over the weekend": (
        schedule("08:00", "18:00", days=["mon-fri"]), "UTC", "2026-01-16T18:00", "2026-01-19T08:00",
    ),
    "a window that is empty today opens tomorrow": (
        schedule("02:15", "02:45"), BERLIN, "2026-03-28T12:00", "2026-03-30T00:15",
    ),
    "days that touch are one": (
        schedule("00:00", "24:00", days=["sat", "sun"]), "UTC", "2026-01-17T12:00",
        "2026-01-19T00:00",
    ),
    "always open": (schedule("00:00", "24:00"), BERLIN, "2026-01-15T12:00", None),
    "always open until its last day": (
        schedule("00:00", "24:00", until="2026-05-01"), "UTC", "2026-01-15T12:00",
        "2026-05-02T00:00",
    ),
    "always open but for a holiday": (
        schedule("00:00", "24:00", **{"except": ["2026-12-25"]}), "UTC", "2026-01-15T12:00",
        "2026-12-25T00:00",
    ),
    "touching by its lead, until the clocks go back": (
        schedule("04:00", "01:30", ready_early="150m"), BERLIN, "2026-05-01T12:00",
        "2026-10-24T23:30",
    ),
    "not before years to come": (
        schedule("08:00", "18:00", **{"from": "2031-07-01"}), "UTC", "2026-01-15T12:00",
        "2031-07-01T08:00",
    ),
    "never again": (
        schedule("08:00", "18:00", until="2026-01-14"), "UTC", "2026-01-15T12:00", None,
    ),
    "suspended": (schedule("08:00", "18:00", active=False), "UTC", "2026-01-15T12:00", None),
}  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "zone", "after", "expected"), CHANGES.values(), ids=CHANGES.keys()
)
def test_next_change(plan: Schedule, zone: str, after: str, expected: str | None) -> None:
    assert next_change(plan, zone, utc(after)) == (None if expected is None else utc(expected))


# The oracle: every minute of a week, its local time by the zone database, and nothing else.

ZONES = (
    "UTC", BERLIN, "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia",
    "Africa/Casablanca", "Asia/Tehran", "Pacific/Chatham", "Antarctica/Troll", "Africa/Cairo",
    "Asia/Pyongyang", "America/Caracas", "Asia/Kolkata", "Pacific/Kwajalein",
)  # fmt: skip
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@lru_cache(maxsize=64)
def transitions(zone: str, year: int) -> tuple[date, ...]:
    days = [datetime(year, 1, 1, tzinfo=UTC) + i * DAY for i in range(365)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return tuple(days[i].date() for i in range(364) if offsets[i] != offsets[i + 1])


@st.composite
def places(draw: st.DrawFn) -> tuple[str, date]:
    zone, year = draw(st.sampled_from(ZONES)), draw(st.integers(1990, 2037))
    any_day = st.integers(0, 364).map(lambda days: date(year, 1, 1) + days * DAY)
    near = transitions(zone, year)
    if near:
        changes = st.sampled_from(near)
        return zone, draw(st.one_of(changes, changes.map(lambda day: day + DAY), any_day))
    return zone, draw(any_day)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(0, 1440).filter(lambda end: end != start))
    days = draw(st.none() | st.lists(st.sampled_from(["mon", "wed-fri", "sun"]), min_size=1))
    early = draw(st.sampled_from(["0s", "0s", "5m", "90m", "12h"]))
    times = [f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in (start, end)]
    return schedule(times[0], times[1], ready_early=early, **({"days": days} if days else {}))


Minutes = list[tuple[datetime, datetime]]


def by_scan(plan: Schedule, day: date, minutes: Minutes) -> tuple[datetime, datetime] | None:
    """First minute not before the start, the minute after the last one before the end."""
    if day.weekday() not in plan.days:
        return None
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 # a wall time
    start = midnight + plan.start * MINUTE
    end = midnight + (plan.end + (1440 if plan.end <= plan.start else 0)) * MINUTE
    opens = next(at for at, wall in minutes if wall >= start)
    closes = next(at for at, wall in reversed(minutes) if wall < end) + MINUTE
    return (opens - plan.ready_early, closes) if opens < closes else None


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(place=places(), plan=schedules())
@pytest.mark.fault(19)
def test_windows_agree_with_a_scan_of_every_minute(place: tuple[str, date], plan: Schedule) -> None:
    zone, day = place
    base = datetime(day.year, day.month, day.day, tzinfo=UTC)
    scan = [base + i * MINUTE for i in range(-5 * 1440, 6 * 1440)]
    minutes = [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for at in scan]
    expected = [by_scan(plan, day + i * DAY, minutes) for i in range(-3, 4)]
    assert [window_of(plan, zone, day + i * DAY) for i in range(-3, 4)] == expected

    found = [span for span in expected if span is not None]
    first, last = base - DAY, base + DAY
    touching = [(a, b) for a, b in found if a < last and b > first]
    assert list(occurrences(plan, zone, first, last)) == touching

    watched = [at for at in scan if first <= at < last]
    states = [any(a <= at < b for a, b in found) for at in watched]
    assert [is_open(plan, zone, at) for at in watched] == states
    for at, state in zip(watched[::97], states[::97], strict=True):
        ends = [b for a, b in found if a <= at < b]
        assert closes_at(plan, zone, at) in (ends if state else [None])
        changed = (m for m, s in zip(watched, states, strict=True) if m > at and s != state)
        upcoming = next_change(plan, zone, at)
        scanned = next(changed, None)
        assert upcoming == scanned if scanned else upcoming is None or upcoming >= last


@settings(max_examples=60, deadline=None)
@given(place=places(), several=st.lists(schedules(), min_size=1, max_size=3))
def test_nothing_changes_before_the_instant_up_to_which_all_is_steady(
    place: tuple[str, date], several: list[Schedule]
) -> None:
    zone, day = place
    plans = [(plan, zone) for plan in several]
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - DAY
    end = at + 2 * DAY
    while at < end:
        until = steady_until(plans, at)
        assert at < until <= at + timedelta(minutes=15)
        now = [closes_at(plan, zone, at) for plan in several]
        last = until - timedelta(seconds=1)
        assert [closes_at(plan, zone, last) for plan in several] == now
        at = until
