"""From what a source answered to windows that a decision may trust.

A window's timestamp is its END. It is trusted once it is at least `metric_lag` old; a newest
trusted window older than `stale_after` means no data. Bad values are refused one by one and
counted. A gap is an absence, never a zero.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter, lt
from typing import NamedTuple

from shared.engine.model import Point, Reading

ABSURD = 1e15
"""Larger readings are refused: no count, byte rate or queue of a pool gets there."""

_PERCENT_SLACK = 110.0

_END = itemgetter(0)

Sample = tuple[datetime, float, int | None]
"""A good window while it is one of many: END, value, reporting instances (None: unknown)."""


class Window(NamedTuple):
    """One closed, trusted window: END, value, reporting instances (None: unknown)."""

    at: datetime
    value: float
    samples: int | None


class Series(NamedTuple):
    """The trusted windows of one policy.

    Attributes:
        points: oldest first, one for each END, with good values only.
        instances: values per instance of the newest window, when known.
        rejected: how many samples were refused, by kind, sorted.
        stale: the newest trusted window is older than `stale_after`.
    """

    points: Sequence[Sample]
    instances: dict[str, float] | None
    rejected: tuple[tuple[str, int], ...]
    stale: bool

    @property
    def newest(self) -> Window | None:
        """The newest trusted window, unless it is stale."""
        return Window(*self.points[-1]) if self.points and not self.stale else None

    @property
    def windows(self) -> list[Window]:
        """All of them, oldest first."""
        return [Window(*point) for point in self.points]


def check_value(value: object, *, percent: bool) -> float | str:
    """The value to use, or the kind of refusal: text, nan, infinite, negative or absurd."""
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "text"
        try:
            value = float(value)
        except OverflowError:
            return "absurd"
    if value != value:  # noqa: PLR0124 # the cheapest test for NaN, on the hot path
        return "nan"
    if value < 0.0:
        return "infinite" if math.isinf(value) else "negative"
    if percent:
        if value <= 100.0:
            return value
        return 100.0 if value <= _PERCENT_SLACK else _too_large(value)
    return value if value <= ABSURD else _too_large(value)


def _too_large(value: float) -> str:
    return "infinite" if math.isinf(value) else "absurd"


class Cleaner:
    """Collects the good values of one reading and counts the bad ones."""

    def __init__(self, *, percent: bool) -> None:
        self.percent = percent
        self.rejected: dict[str, int] = {}

    def take(self, value: object) -> float | None:
        """The value if it is good; None, counted, if not."""
        checked = check_value(value, percent=self.percent)
        if isinstance(checked, str):
            self.reject(checked)
            return None
        return checked

    def reject(self, kind: str) -> None:
        """Count one refused sample."""
        self.rejected[kind] = self.rejected.get(kind, 0) + 1


class Trust(NamedTuple):
    """From when to when windows count, for one policy."""

    now: datetime
    lag: timedelta
    stale_after: timedelta
    percent: bool


def read(reading: Reading, trust: Trust) -> Series:
    """Sort, deduplicate and check a reading. The first good value given for an END wins."""
    cleaner = Cleaner(percent=trust.percent)
    newest = () if reading.at is None else ((reading.at, reading.value, reading.samples),)
    head = _trusted(newest, trust, cleaner)
    good = head
    if reading.history:
        good = _in_order(head, _trusted(reading.history, trust, cleaner), cleaner)
    stale = bool(good) and trust.now - good[-1][0] > trust.stale_after
    instances = None
    if reading.instances is not None and good and good[-1][0] == reading.at:
        instances = {
            key: value
            for key, raw in reading.instances.items()
            if (value := cleaner.take(raw)) is not None
        }
    rejected = tuple(sorted(cleaner.rejected.items())) if cleaner.rejected else ()
    return Series(good, instances, rejected, stale)


class Reader:
    """`read` for one policy, which keeps what it made of the last reading.

    A reading stays the same until the next window closes: it is then not checked anew. Nothing else
    is remembered; the answers are those of `read`.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[Reading, Trust, Series] | None = None

    def __call__(self, reading: Reading, trust: Trust) -> Series:
        """What `read` says."""
        if self._last is not None and self._last[0] is reading:
            _, before, series = self._last
            if trust[1:] == before[1:] and before.now <= trust.now:
                stale = trust.now - series.points[-1][0] > trust.stale_after
                return series if stale == series.stale else series._replace(stale=stale)
        series = read(reading, trust)
        # Only a reading whose every window was old enough stays what it is as time goes on.
        settled = series.points and not series.rejected and reading.instances is None
        complete = settled and len(series.points) == len(reading.history) + (reading.at is not None)
        self._last = (reading, trust, series) if complete else None
        return series


def _trusted(points: Sequence[Point], trust: Trust, cleaner: Cleaner) -> list[Sample]:
    """The good windows that are old enough, in the order given.

    This sees every window of every policy at every tick: the usual case, all good, comes first.
    """
    now = trust.now
    newest_allowed = now - trust.lag
    most = 100.0 if trust.percent else ABSURD
    usual = [
        (at, raw, samples)
        for at, raw, samples in points
        if at <= newest_allowed
        and type(raw) is float
        and 0.0 <= raw <= most
        and (samples is None or samples > 0)
    ]
    if len(usual) == len(points):
        return usual
    good: list[Sample] = []
    for at, raw, samples in points:
        if at > newest_allowed:
            if at > now:
                cleaner.reject("future")
            continue
        value = raw if type(raw) is float and 0.0 <= raw <= most else cleaner.take(raw)
        if value is not None:
            good.append((at, value, samples if samples and samples > 0 else None))
    return good


def _in_order(head: list[Sample], older: list[Sample], cleaner: Cleaner) -> list[Sample]:
    """Oldest first, one for each END; the first one given stays, and the head is given first."""
    newest_first = len(older) > 1 and older[0][0] > older[-1][0]
    usual = [*(reversed(older) if newest_first else older), *head]
    ends = [point[0] for point in usual]
    if all(map(lt, ends, ends[1:])):
        return usual
    given = sorted([*head, *older], key=_END)  # stable: equal ENDs stay in the order given
    unique = given[:1]
    for point in given[1:]:
        if point[0] == unique[-1][0]:
            cleaner.reject("duplicate")
        else:
            unique.append(point)
    return unique
