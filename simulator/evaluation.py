"""Evaluate an MQL query over metric streams.

A value is stamped with the END of its window: the one at 2:05 with [5m] covers 2:00 to 2:05
(Oracle, "Monitoring Overview"). A window without points has no value, never a zero.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from shared.mql import (
    Binary,
    Expression,
    Nested,
    Number,
    Predicate,
    Selection,
    seconds,
)
from simulator.arithmetic import combine, holds
from simulator.selection import Grid, matches
from simulator.statistics import compute
from simulator.streams import Points, Stream

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One stream of an answer: values by stamp, and the raw stream that names it."""

    dimensions: dict[str, str]
    values: dict[datetime, float]
    source: Stream | None = None


StreamsOf = Callable[[Selection], Iterable[Stream]]


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates queries on one grid.

    Attributes:
        streams_of: the streams that a selection may see, before its dimension filters.
        read: the visible points of a stream in [start, end).
        empty_dimensions: show a grouped dimension that a stream lacks as "" instead of leaving
            it out.
    """

    grid: Grid
    streams_of: StreamsOf
    read: Callable[[Stream, datetime, datetime], Points]
    empty_dimensions: bool = False

    def evaluate(self, node: Expression) -> list[Series]:
        """Return the series of an expression; one without values is left out."""
        found = self._all(node)
        return [series for series in found if series.values]

    def _all(self, node: Expression) -> list[Series]:
        match node:
            case Selection():
                return self._select(node)
            case Nested():
                return self._nest(node)
            case Predicate(operand=operand):
                return [
                    Series(
                        series.dimensions,
                        {at: holds(value, node) for at, value in series.values.items()},
                        series.source,
                    )
                    for series in self._all(operand)
                ]
            case Binary(operator=operator, left=left, right=right):
                return self._combine(operator, left, right)
            case Number(value=value):
                return [Series({}, dict.fromkeys(self.grid.stamps(), value))]

    def _select(self, node: Selection) -> list[Series]:
        length = timedelta(seconds=seconds(node.interval))
        stamps = self.grid.stamps()
        matching = [s for s in self.streams_of(node) if matches(s.dimensions, node.filters)]
        answer: list[Series] = []
        for dimensions, streams in self._grouped(matching, node.group_by):
            points: Points = []
            if stamps:
                for stream in streams:
                    points += self.read(stream, stamps[0] - 2 * length, stamps[-1])
            points.sort(key=lambda point: point[0])
            if node.statistic.name == "absent" and not points:
                continue
            answer.append(Series(dimensions, _windows(node, points, stamps, length), streams[0]))
        return answer

    def _grouped(
        self, streams: Sequence[Stream], group_by: tuple[str, ...] | None
    ) -> list[tuple[dict[str, str], list[Stream]]]:
        if group_by is None:
            return [(dict(stream.dimensions), [stream]) for stream in streams]

        def kept(stream: Stream) -> Dimensions:
            return _keep(stream.dimensions, group_by, empty=self.empty_dimensions)

        ordered = sorted(streams, key=kept)
        return [(dict(key), list(group)) for key, group in groupby(ordered, kept)]

    def _nest(self, node: Nested) -> list[Series]:
        groups: dict[Dimensions, list[Series]] = {}
        for series in self.evaluate(node.inner):
            key = tuple(sorted(series.dimensions.items()))
            if node.group_by is not None:
                key = _keep(series.dimensions, node.group_by, empty=self.empty_dimensions)
            groups.setdefault(key, []).append(series)
        length = round(self.grid.resolution.total_seconds())
        answer = []
        for key, group in groups.items():
            values: dict[datetime, float] = {}
            before: list[float] = []
            for at in self.grid.stamps():
                inner = [series.values[at] for series in group if at in series.values]
                value = compute(node.statistic, inner, before, length)
                if value is not None:
                    values[at] = value
                before = inner
            answer.append(Series(dict(key), values, group[0].source))
        return answer

    def _combine(self, operator: str, left: Expression, right: Expression) -> list[Series]:
        lefts, rights = self._all(left), self._all(right)
        answer = []
        for one in lefts:
            for other in rights:
                if one.dimensions == other.dimensions or not one.dimensions or not other.dimensions:
                    values = {
                        at: value
                        for at in one.values.keys() & other.values.keys()
                        if (value := combine(operator, one.values[at], other.values[at]))
                        is not None
                    }
                    answer.append(
                        Series(
                            one.dimensions or other.dimensions,
                            dict(sorted(values.items())),
                            one.source or other.source,
                        )
                    )
        return answer


def _windows(
    node: Selection, points: Points, stamps: Sequence[datetime], length: timedelta
) -> dict[datetime, float]:
    changes = node.statistic.name in ("rate", "increment")
    values: dict[datetime, float] = {}
    for at in stamps:
        window = _between(points, at - length, at)
        before = _between(points, at - 2 * length, at - length) if changes else []
        value = compute(node.statistic, window, before, round(length.total_seconds()))
        if value is not None:
            values[at] = value
    return values


def _between(points: Points, start: datetime, end: datetime) -> list[float]:
    low = bisect_left(points, start, key=_time)
    high = bisect_left(points, end, key=_time)
    return [value for _, value in points[low:high]]


def _time(point: tuple[datetime, float]) -> datetime:
    return point[0]


def _keep(dimensions: dict[str, str], names: tuple[str, ...], *, empty: bool) -> Dimensions:
    return tuple((name, dimensions.get(name, "")) for name in names if empty or name in dimensions)
