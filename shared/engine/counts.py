"""How many instances ran when: the part of memory that old metric windows are read against."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter

Counts = tuple[tuple[datetime, int], ...]

_AT = itemgetter(0)


def remember(counts: Counts, now: datetime, active: int, keep: timedelta) -> Counts:
    """Note the running count of now; entries that ended before `now - keep` are forgotten."""
    if not counts or counts[-1][1] != active:
        counts = (*counts, (now, active))
    horizon = now - keep
    first = 0
    while first + 1 < len(counts) and counts[first + 1][0] <= horizon:
        first += 1
    return counts[first:] if first else counts


def between(counts: Counts, start: datetime, end: datetime, otherwise: int) -> tuple[int, int]:
    """The smallest and the largest running count in [start, end].

    Before the first entry the count is taken to have been the first entry's; without any entry it
    is `otherwise`.
    """
    if not counts:
        return otherwise, otherwise
    first = max(0, bisect_right(counts, start, key=_AT) - 1)
    last = max(first + 1, bisect_right(counts, end, key=_AT))
    seen = [count for _, count in counts[first:last]]
    return min(seen), max(seen)


def during(
    counts: Counts, ends: Sequence[datetime], interval: timedelta, otherwise: int
) -> tuple[list[int], list[int]]:
    """What `between` says of every window that ends at one of `ends`, which are oldest first.

    The windows between two changes are found by bisection and need no look of their own.
    """
    first = bisect_right(counts, ends[0] - interval, key=_AT) if counts else 0
    before = counts[max(0, first - 1)][1] if counts else otherwise
    least: list[int] = []
    most: list[int] = []
    done = 0
    for at, count in counts[max(1, first) :]:
        pure = bisect_left(ends, at, done)
        least += [before] * (pure - done)
        most += [before] * (pure - done)
        done = bisect_left(ends, at + interval, pure)
        for end in ends[pure:done]:
            low, high = between(counts, end - interval, end, otherwise)
            least.append(low)
            most.append(high)
        before = count
    rest = len(ends) - done
    return least + [before] * rest, most + [before] * rest
