"""Closed metric windows, kept per instance while young and as points when old."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from shared.engine.model import Point, Reading
from shared.engine.samples import check_value

Statistic = tuple[str, bool]
"""A policy's statistic (mean, max, min, p90 …) and whether its values are percentages."""

_DETAIL = timedelta(minutes=20)
WHOLE = ""
"""Stands for an instance in a stream that is not per instance."""


def aggregate(values: Mapping[str, object], statistic: Statistic) -> tuple[object, int | None]:
    """Return one value over instances, and how many reported.

    Unusable values are left out. When none is usable the first one is returned as it is, so that
    the decision can refuse it and say so. Percentiles are nearest-rank.
    """
    name, percent = statistic
    checked = [check_value(raw, percent=percent) for raw in values.values()]
    usable = sorted(value for value in checked if isinstance(value, float))
    if not usable:
        return next(iter(values.values())), None
    match name:
        case "mean":
            value = math.fsum(usable) / len(usable)
        case "max":
            value = usable[-1]
        case "min":
            value = usable[0]
        case _:
            rank = -(-int(name.removeprefix("p")) * len(usable) // 100)
            value = usable[max(rank, 1) - 1]
    return value, None if set(values) == {WHOLE} else len(usable)


class Window:
    """One closed window of a pool."""

    __slots__ = ("_points", "values")

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self._points: dict[Statistic, tuple[object, int | None]] = {}

    def put(self, instance: str, value: object) -> None:
        """Add or correct the value of one instance, for late samples change a window."""
        self.values[instance] = value
        self._points.clear()

    def point(self, statistic: Statistic) -> tuple[object, int | None]:
        """Return the value over all instances and how many reported."""
        if statistic not in self._points:
            self._points[statistic] = aggregate(self.values, statistic)
        return self._points[statistic]

    def compact(self, statistics: Iterable[Statistic]) -> None:
        """Keep only the points of these statistics."""
        if self.values:
            for statistic in statistics:
                self.point(statistic)
            self.values = {}


class History:
    """The windows of one pool and metric, by their END."""

    def __init__(self) -> None:
        self._windows: dict[datetime, Window] = {}

    def put(self, at: datetime, instance: str, value: object) -> None:
        """Add the value of one instance to the window that ends at `at`."""
        window = self._windows.get(at)
        if window is None:
            window = self._windows[at] = Window()
        window.put(instance, value)

    def forget(self, now: datetime, keep: timedelta, statistics: Iterable[Statistic]) -> None:
        """Drop windows older than `keep`, and the per-instance detail of old ones."""
        for at in [at for at in self._windows if now - at > keep]:
            del self._windows[at]
        wanted = tuple(statistics)
        for at, window in self._windows.items():
            if now - at > _DETAIL:
                window.compact(wanted)

    def newest(self, up_to: datetime) -> datetime | None:
        """Return the END of the newest window that is not younger than `up_to`."""
        return max((at for at in self._windows if at <= up_to), default=None)

    def window(self, at: datetime) -> Window:
        """Return the window that ends at `at`."""
        return self._windows[at]

    def reading(self, statistic: Statistic, trusted_until: datetime, keep: timedelta) -> Reading:
        """Return the newest trusted window with its instances, and the history before it.

        Args:
            statistic: how the instances' values become one.
            trusted_until: windows that end later are too young; they are left out.
            keep: how much history is wanted, counted back from `trusted_until`.
        """
        newest = self.newest(trusted_until)
        if newest is None:
            return Reading()
        window = self._windows[newest]
        value, samples = window.point(statistic)
        per_instance = bool(window.values) and set(window.values) != {WHOLE}
        history: list[Point] = [
            (at, *earlier.point(statistic))
            for at, earlier in self._windows.items()
            if trusted_until - keep <= at < newest
        ]
        return Reading(
            value=value,
            at=newest,
            samples=samples,
            instances=dict(window.values) if per_instance else None,
            history=tuple(sorted(history, key=lambda point: point[0])),
        )
