"""Sums of metric values compared exactly: floats while that is safe, rationals at the edge.

`66 of 60 within 10 %` must hold and `ceil(25 × 22 / 10)` must be 55, not 56. Doing all of it in
rationals would be slow; a float comparison that is clear by more than a billionth is certain.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from shared.config.units import exact

_CLEAR = 1e-9


class Total:
    """`weight` times the sum of `values`: the load of a pool in one window."""

    __slots__ = ("approximate", "values", "weight")

    def __init__(self, values: Sequence[float], weight: int = 1) -> None:
        self.values = values
        self.weight = weight
        self.approximate = (values[0] if len(values) == 1 else math.fsum(values)) * weight

    def exactly(self) -> Fraction:
        """The sum as the rational that its decimal digits say."""
        return sum((exact(value) for value in self.values), Fraction(0)) * self.weight

    def compare(self, bound: Fraction, bound_float: float) -> int:
        """1, 0 or -1 as the total is above, at or below the bound."""
        gap = self.approximate - bound_float
        if abs(gap) > _CLEAR * max(abs(bound_float), abs(self.approximate)):
            return 1 if gap > 0 else -1
        precise = self.exactly()
        return (precise > bound) - (precise < bound)

    def divided_up(self, share: Fraction, share_float: float) -> int:
        """ceil(total / share): how many instances serve the total at `share` each."""
        quotient = self.approximate / share_float
        nearest = round(quotient)
        if abs(quotient - nearest) > _CLEAR * max(1.0, abs(quotient)):
            return math.ceil(quotient)
        return math.ceil(self.exactly() / share)
