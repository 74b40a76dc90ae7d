"""From what a source answered to windows that a decision may trust.

A window's timestamp is its END. It is trusted once it is at least `metric_lag` old; a newest
trusted window older than `stale_after` means no data. Bad values are refused one by one and
counted. A gap is an absence, never a zero.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.engine.model import Reading

ABSURD = 1e15
"""Larger readings are refused: no count, byte rate or queue of a pool gets there."""

_PERCENT_SLACK = 110.0


@dataclass(frozen=True, slots=True)
class Window:
    """One closed, trusted window: END, value, reporting instances (None: unknown)."""

    at: datetime
    value: float
    samples: int | None


@dataclass(frozen=True, slots=True)
class Series:
    """The trusted windows of one policy.

    Attributes:
        windows: oldest first, one for each END.
        instances: values per instance of the newest window, when known.
        rejected: how many samples were refused, by kind, sorted.
        stale: the newest trusted window is older than `stale_after`.
    """

    windows: tuple[Window, ...]
    instances: dict[str, float] | None
    rejected: tuple[tuple[str, int], ...]
    stale: bool

    @property
    def newest(self) -> Window | None:
        """The newest trusted window, unless it is stale."""
        return self.windows[-1] if self.windows and not self.stale else None


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


@dataclass(frozen=True, slots=True)
class Trust:
    """From when to when windows count, for one policy."""

    now: datetime
    lag: timedelta
    stale_after: timedelta
    percent: bool


def read(reading: Reading, trust: Trust) -> Series:
    """Sort, deduplicate and check a reading. The first value given for an END wins."""
    cleaner = Cleaner(percent=trust.percent)
    newest_allowed = trust.now - trust.lag
    found: dict[datetime, Window] = {}
    head = ((reading.at, reading.value, reading.samples),) if reading.at is not None else ()
    for at, raw, samples in (*head, *reading.history):
        if at > newest_allowed:
            if at > trust.now:
                cleaner.reject("future")
            continue
        if at in found:
            cleaner.reject("duplicate")
            continue
        value = cleaner.take(raw)
        if value is not None:
            found[at] = Window(at, value, samples if samples is None or samples > 0 else None)
    windows = tuple(found[at] for at in sorted(found))
    stale = bool(windows) and trust.now - windows[-1].at > trust.stale_after
    instances = None
    if reading.instances is not None and windows and windows[-1].at == reading.at:
        instances = {}
        for key, raw in reading.instances.items():
            value = cleaner.take(raw)
            if value is not None:
                instances[key] = value
    rejected = tuple(sorted(cleaner.rejected.items()))
    return Series(windows, instances, rejected, stale)
