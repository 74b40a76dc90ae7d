"""The statistics of MQL over the points of one window.

Meanings: Oracle, "Monitoring Query Language (MQL) Reference", Statistic. Where that page leaves
the arithmetic open (percentile, rate, increment), docs/verify-live.md says what is assumed.
"""

import math
from collections.abc import Callable, Sequence

from shared.mql import Statistic

_SIMPLE: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": lambda values: math.fsum(values) / len(values),
    "sum": math.fsum,
    "count": lambda values: float(len(values)),
    "min": min,
    "max": max,
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}


def compute(
    statistic: Statistic, values: Sequence[float], before: Sequence[float], seconds: int
) -> float | None:
    """Return the value of a window, or None when it has none.

    Args:
        statistic: which one.
        values: the window's points in the order of time.
        before: the points of the window before it, for rate and increment.
        seconds: the length of the window.
    """
    if statistic.name == "absent":
        return 0.0 if values else 1.0
    if not values:
        return None
    if statistic.name in _SIMPLE:
        return _SIMPLE[statistic.name](values)
    if statistic.name == "percentile":
        return nearest_rank(values, float(statistic.argument or 0))
    if not before:
        return None
    change = values[-1] - before[-1]
    return change if statistic.name == "increment" else change / seconds


def nearest_rank(values: Sequence[float], fraction: float) -> float:
    """Return the smallest value with at least `fraction` of all values at or below it."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]
