"""Recorded demand from CSV onto a grid of steps."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.replay.trace import read_trace

MINUTE = timedelta(minutes=1)


def test_demand_changes_linearly_between_two_points() -> None:
    trace = read_trace("timestamp,value\n2026-01-05 12:00:00,10\n2026-01-05 12:05:00,20\n", MINUTE)
    assert trace.demand == (10.0, 12.0, 14.0, 16.0, 18.0)
    assert trace.start == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert trace.end == datetime(2026, 1, 5, 12, 5, tzinfo=UTC)
    assert trace.interval == timedelta(minutes=5)


def test_steps_lie_on_whole_minutes_whenever_the_points_were_taken() -> None:
    trace = read_trace("2026-01-05 12:00:30,0\n2026-01-05 12:03:30,6\n", MINUTE)
    assert trace.start.second == 0
    assert trace.demand == (1.0, 3.0)


def test_points_closer_than_a_step_are_averaged() -> None:
    rows = "".join(f"{second},{second % 60}\n" for second in range(0, 181, 30))
    assert read_trace(rows, MINUTE).demand == (15.0, 15.0, 15.0)


def test_a_pause_longer_than_three_intervals_is_told_as_a_gap() -> None:
    rows = "0,5\n60,5\n120,5\n720,10\n780,5\n"
    trace = read_trace(rows, MINUTE)
    assert trace.filled == 10
    assert trace.demand[7] == pytest.approx(7.5)


def test_columns_are_found_by_their_heading() -> None:
    trace = read_trace("value,host,timestamp\n4,a,1767614400\n8,a,1767614520\n", MINUTE)
    assert trace.demand == (4.0, 6.0)
    assert trace.start == datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_times_with_an_offset_are_understood() -> None:
    trace = read_trace("2026-01-05T12:00:00+01:00,1\n2026-01-05T11:02:00Z,1\n", MINUTE)
    assert trace.start == datetime(2026, 1, 5, 11, tzinfo=UTC)


BAD = {
    "an empty file": ("", "two rows"),
    "one row": ("timestamp,value\n0,1\n", "two rows"),
    "no timestamp column": ("time,value\n0,1\n60,1\n", "line 1: the heading must name"),
    "a missing value": ("timestamp,value\n0\n60,1\n", "line 2: must be timestamp,value"),
    "text as value": ("timestamp,value\n0,1\n60,many\n", "line 3: 'many' is not a number"),
    "NaN": ("0,nan\n60,1\n", "line 1: demand must be a finite number"),
    "negative demand": ("0,-1\n60,1\n", "line 1: demand must be a finite number"),
    "text as time": ("noon,1\n60,1\n", "line 1: 'noon' is not an ISO 8601 time"),
    "time that stands still": ("0,1\n60,1\n60,2\n", "row 3: its timestamp is not later"),
    "time that goes back": ("60,1\n0,1\n", "row 2: its timestamp is not later"),
    "less than a step": ("0,1\n30,1\n", "shorter than one step"),
    "a century": ("0,1\n4000000000,1\n", "more than ten years"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_trace_is_refused_with_its_line(case: str) -> None:
    text, sentence = BAD[case]
    with pytest.raises(ValueError, match=sentence):
        read_trace(text, MINUTE)
