"""Sums of metric values compared exactly: floats while that is safe, rationals at the edge.

`66 of 60 within 10 %` must hold and `ceil(25 × 22 / 10)` must be 55, not 56. Doing all of it in
rationals would be slow; a float comparison that is clear by more than a billionth is certain.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from shared.config.units import exact

_CLEAR = 1e-9
_FLOATS_ARE_WHOLE = 2.0**53


class Total:
    """The load of a pool in one window: `weight` × the sum of `values` + `fillers` × `filler`.

    The fillers stand for members whose value is not known.
    """

    __slots__ = ("approximate", "filler", "fillers", "values", "weight")

    def __init__(
        self, values: Sequence[float], weight: int = 1, filler: float = 0.0, fillers: int = 0
    ) -> None:
        self.values = values
        self.weight = weight
        self.filler = filler
        self.fillers = fillers
        known = values[0] if len(values) == 1 else math.fsum(values)
        self.approximate = known * weight + filler * fillers

    def exactly(self) -> Fraction:
        """The sum as the rational that its decimal digits say."""
        known = sum((exact(value) for value in self.values), Fraction(0))
        return known * self.weight + exact(self.filler) * self.fillers

    def compare(self, edge: Fraction, edge_float: float, count: int = 1) -> int:
        """1, 0 or -1 as the total is above, at or below `count` times the edge."""
        bound = edge_float * count
        gap = self.approximate - bound
        if abs(gap) > _CLEAR * (bound + self.approximate):
            return 1 if gap > 0 else -1
        precise, limit = self.exactly(), edge * count
        return (precise > limit) - (precise < limit)

    def divided_up(self, share: Fraction, share_float: float) -> int:
        """ceil(total / share): how many instances serve the total at `share` each."""
        quotient = self.approximate / share_float
        if quotient < _FLOATS_ARE_WHOLE:
            above = math.ceil(quotient)
            slack = _CLEAR * (quotient + 1.0)
            if above - quotient > slack and quotient - (above - 1) > slack:
                return above
        return math.ceil(self.exactly() / share)
