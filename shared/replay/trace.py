"""A recorded series of demand: read from CSV, laid on a grid of equal steps.

A value is the demand at its timestamp as a level, in the series' own unit (requests per five
minutes, trips per half hour); the capacity of an instance is given in the same unit. Between two
points demand changes linearly; several points within one step are averaged.
"""

import csv
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

MAX_STEPS = 5_300_000
"""Ten years of minutes: beyond it the series' timestamps are rather a mistake."""

GAP = 3
"""A pause longer than this many usual intervals is a gap, and told."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Demand on a grid.

    Attributes:
        start: aware UTC; the beginning of the first step, a multiple of `step` since 1970.
        step: length of one step.
        demand: mean demand of each step.
        interval: the usual distance between two recorded points.
        filled: how many steps lie inside gaps and were interpolated across them.
    """

    start: datetime
    step: timedelta
    demand: tuple[float, ...]
    interval: timedelta
    filled: int = 0

    @property
    def end(self) -> datetime:
        """The end of the last step."""
        return self.start + self.step * len(self.demand)

    def times(self) -> list[datetime]:
        """The beginning of every step."""
        return [self.start + self.step * index for index in range(len(self.demand))]


def read_trace(text: str, step: timedelta) -> Trace:
    """Read `timestamp,value` rows. Timestamps are ISO 8601 (UTC unless said) or Unix seconds.

    Raises:
        ValueError: one sentence that names the line.
    """
    return trace_of(list(_points(text)), step)


def trace_of(points: list[tuple[float, float]], step: timedelta) -> Trace:
    """Lay points of (Unix seconds, value) on a grid.

    Raises:
        ValueError: they are too few, too many, or not in the order of time.
    """
    if len(points) < 2:
        raise ValueError("a trace needs two rows of timestamp,value at least")
    for number, (before, after) in enumerate(pairwise(points)):
        if after[0] <= before[0]:
            raise ValueError(f"row {number + 2}: its timestamp is not later than the one before")
    seconds = step.total_seconds()
    first = math.ceil(points[0][0] / seconds)
    count = math.floor(points[-1][0] / seconds) - first
    if count < 1:
        raise ValueError("the trace is shorter than one step")
    if count > MAX_STEPS:
        raise ValueError("the trace spans more than ten years of minutes: look at its timestamps")
    usual = median(after[0] - before[0] for before, after in pairwise(points))
    starts = [(first + index) * seconds for index in range(count)]
    demand = _averaged(points, starts, seconds) if usual < seconds else _between(points, starts)
    return Trace(
        start=datetime.fromtimestamp(starts[0], UTC),
        step=step,
        demand=tuple(demand),
        interval=timedelta(seconds=usual),
        filled=_filled(points, usual, seconds),
    )


def _points(text: str) -> Iterator[tuple[float, float]]:
    rows = csv.reader(text.removeprefix("\ufeff").splitlines())
    columns = (0, 1)
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        if number == 1 and "value" in (names := [cell.strip().lower() for cell in row]):
            if "timestamp" not in names:
                raise ValueError("line 1: the heading must name timestamp and value")
            columns = (names.index("timestamp"), names.index("value"))
            continue
        if len(row) <= max(columns):
            raise ValueError(f"line {number}: must be timestamp,value")
        at = _instant(row[columns[0]].strip(), number)
        yield at, _value(row[columns[1]].strip(), number)


def _instant(text: str, number: int) -> float:
    try:
        if text.replace(".", "", 1).isdigit():
            return float(text)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        sentence = f"line {number}: {text[:40]!r} is not an ISO 8601 time or a number of seconds"
        raise ValueError(sentence) from None


def _value(text: str, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"line {number}: {text[:40]!r} is not a number") from None
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"line {number}: demand must be a finite number that is not negative")
    return value


def _between(points: list[tuple[float, float]], starts: list[float]) -> Iterator[float]:
    """Linear interpolation at each start; `starts` lie within the points."""
    left = 0
    for at in starts:
        while points[left + 1][0] <= at:
            left += 1
        (t0, v0), (t1, v1) = points[left], points[left + 1]
        yield v0 + (v1 - v0) * (at - t0) / (t1 - t0)


def _averaged(
    points: list[tuple[float, float]], starts: list[float], seconds: float
) -> Iterator[float]:
    """The mean of the points within each step; a step without any is interpolated."""
    times = [at for at, _ in points]
    for at, between in zip(starts, _between(points, starts), strict=True):
        inside = points[bisect_left(times, at) : bisect_left(times, at + seconds)]
        yield math.fsum(value for _, value in inside) / len(inside) if inside else between


def _filled(points: list[tuple[float, float]], usual: float, seconds: float) -> int:
    gaps = (b[0] - a[0] for a, b in pairwise(points) if b[0] - a[0] > GAP * usual)
    return sum(int(gap // seconds) for gap in gaps)
