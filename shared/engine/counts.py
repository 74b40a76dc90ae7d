"""How many instances ran when: the part of memory that old metric windows are read against."""

from bisect import bisect_right
from datetime import datetime, timedelta

Counts = tuple[tuple[datetime, int], ...]


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
    first = max(0, bisect_right(counts, start, key=lambda entry: entry[0]) - 1)
    last = max(first + 1, bisect_right(counts, end, key=lambda entry: entry[0]))
    seen = [count for _, count in counts[first:last]]
    return min(seen), max(seen)
