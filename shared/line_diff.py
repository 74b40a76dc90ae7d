"""Unified diffs of long files in bounded time.

difflib's matcher looks for the longest common run again and again, which takes half a minute on
15,000 lines with a change in every sixth. Here lines that occur once on both sides are anchors
first (Bram Cohen's patience diff), and difflib only sees what lies between two of them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher

MOST_PAIRS = 1_000_000  # lines times lines without an anchor; beyond it they are all replaced
CONTEXT = 3

_Piece = tuple[int, int, int, int]


def unified_diff(before: str, after: str, old_name: str, new_name: str) -> str:
    """A unified diff that ends every line; empty when the texts are equal."""
    if before == after:
        return ""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = _Anchored(old, new)
    shown = [f"--- {old_name}\n", f"+++ {new_name}\n"]
    for group in matcher.get_grouped_opcodes(CONTEXT):
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        shown.append(f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@\n")
        for tag, a1, a2, b1, b2 in group:
            if tag == "equal":
                shown += [f" {line}" for line in old[a1:a2]]
                continue
            shown += [f"-{line}" for line in old[a1:a2]]
            shown += [f"+{line}" for line in new[b1:b2]]
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in shown)


def _range(first: int, end: int) -> str:
    """A range of lines as `diff -u` writes it; an empty one names the line before."""
    length = end - first
    begin = first + 1 if length else first
    return str(begin) if length == 1 else f"{begin},{length}"


class _Anchored(SequenceMatcher[str]):
    """difflib's matcher with other matching blocks."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, [], [])  # its index of all lines is not needed
        self.a, self.b = old, new

    def get_matching_blocks(self) -> list[Match]:
        """Every run of equal lines, in order, and the empty one at the end."""
        pieces: list[_Piece] = [(0, len(self.a), 0, len(self.b))]
        found: list[Match] = []
        while pieces:
            inner, blocks = self._trimmed(pieces.pop())
            found += blocks
            anchors = self._anchors(inner)
            if anchors:
                pieces += _between(inner, anchors)
                found += [Match(i, j, 1) for i, j in anchors]
            else:
                found += self._small(inner)
        return [*_joined(sorted(found)), Match(len(self.a), len(self.b), 0)]

    def _trimmed(self, piece: _Piece) -> tuple[_Piece, list[Match]]:
        """A piece without the equal lines at its beginning and its end."""
        a1, a2, b1, b2 = piece
        first, last = 0, 0
        most = min(a2 - a1, b2 - b1)
        while first < most and self.a[a1 + first] == self.b[b1 + first]:
            first += 1
        while last < most - first and self.a[a2 - 1 - last] == self.b[b2 - 1 - last]:
            last += 1
        blocks = [Match(a1, b1, first), Match(a2 - last, b2 - last, last)]
        inner = (a1 + first, a2 - last, b1 + first, b2 - last)
        return inner, [block for block in blocks if block.size]

    def _anchors(self, piece: _Piece) -> list[tuple[int, int]]:
        """Lines that occur once on both sides, as far as their order is the same."""
        a1, a2, b1, b2 = piece
        old, new = Counter(self.a[a1:a2]), Counter(self.b[b1:b2])
        places = {line: j for j, line in enumerate(self.b[b1:b2], b1) if new[line] == 1}
        pairs = [
            (i, places[line])
            for i, line in enumerate(self.a[a1:a2], a1)
            if old[line] == 1 and line in places
        ]
        return _ascending(pairs)

    def _small(self, piece: _Piece) -> list[Match]:
        a1, a2, b1, b2 = piece
        if not 0 < (a2 - a1) * (b2 - b1) <= MOST_PAIRS:
            return []
        inner = SequenceMatcher(None, self.a[a1:a2], self.b[b1:b2], autojunk=False)
        return [
            Match(a1 + block.a, b1 + block.b, block.size)
            for block in inner.get_matching_blocks()
            if block.size
        ]


def _between(piece: _Piece, anchors: Sequence[tuple[int, int]]) -> Iterator[_Piece]:
    a1, a2, b1, b2 = piece
    for i, j in anchors:
        yield a1, i, b1, j
        a1, b1 = i + 1, j + 1
    yield a1, a2, b1, b2


def _ascending(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of the pairs whose second numbers rise too."""
    tails: list[int] = []  # of each length, the smallest last number
    ends: list[int] = []  # which pair that is
    previous: list[int] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(tails, j)
        previous.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [j]
        ends[length : length + 1] = [index]
    found: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(pairs[at])
        at = previous[at]
    return found[::-1]


def _joined(blocks: Sequence[Match]) -> list[Match]:
    """Blocks that touch, as one."""
    joined: list[Match] = []
    for block in blocks:
        last = joined[-1] if joined else None
        if last and (last.a + last.size, last.b + last.size) == (block.a, block.b):
            joined[-1] = Match(last.a, last.b, last.size + block.size)
        else:
            joined.append(block)
    return joined
