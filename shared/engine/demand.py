"""The demand of recent windows, ranked: each window's value × the instances of its own time."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from shared.engine import counts
from shared.engine.samples import Sample
from shared.engine.totals import Total

_END = itemgetter(0)

_Carried = tuple[float, int]
"""A window's value and the instances that carried it."""


def since(points: Sequence[Sample], start: datetime) -> Sequence[Sample]:
    """The windows, given oldest first, that ended after `start`."""
    return points[bisect_right(points, start, key=_END) :]


def ranked_totals(windows: Sequence[Sample], rank: int) -> tuple[Total, Total]:
    """The total at a rank from the smallest: totals do not depend on who measured them."""
    total = Total((sorted(value for _, value, _ in windows)[rank],))
    return total, total


def ranked_demand(
    windows: Sequence[Sample], rank: int, known: counts.Counts, interval: timedelta, running: int
) -> tuple[Total, Total]:
    """The demand at a rank from the smallest, once counted low (to grow), once high (to shrink).

    A window whose running count changed, or in which not all who ran reported, has two.

    Args:
        windows: oldest first.
        rank: from 0, of the smallest.
        known: what is remembered of the running count.
        interval: the length of a window.
        running: the running count of now, for when nothing is remembered.
    """
    ends = [end for end, _, _ in windows]
    least, most = counts.during(known, ends, interval, running)
    low = [(value, n or ran) for (_, value, n), ran in zip(windows, least, strict=True)]
    high = [
        (value, n if n and n > ran else ran)
        for (_, value, n), ran in zip(windows, most, strict=True)
    ]
    demand = _at_rank(low, rank)
    return demand, demand if high == low else _at_rank(high, rank)


def _at_rank(windows: list[_Carried], rank: int) -> Total:
    """Of windows with the same demand the smaller value comes first."""
    demands = [value * count for value, count in windows]
    ordered = sorted(demands)
    found = ordered[rank]
    last = rank + 1 == len(ordered)
    if (not rank or ordered[rank - 1] != found) and (last or ordered[rank + 1] != found):
        value, count = windows[demands.index(found)]
        return Total((value,), count)
    alike = sorted(pair for pair, demand in zip(windows, demands, strict=True) if demand == found)
    value, count = alike[rank - bisect_left(ordered, found)]
    return Total((value,), count)
