"""Arithmetic, joins and comparisons of MQL on single values.

Oracle, "Monitoring Query Language (MQL) Reference": a comparison answers 1 or 0; `in` is
"between, bounds included", `not in` is its opposite.
"""

import math
import operator
from collections.abc import Callable

from shared.mql import Predicate

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "&&": lambda left, right: float(bool(left) and bool(right)),
    "||": lambda left, right: float(bool(left) or bool(right)),
}
_COMPARISON: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def combine(symbol: str, left: float, right: float) -> float | None:
    """Apply an operator; a division by zero has no value."""
    try:
        return _ARITHMETIC[symbol](left, right)
    except (ZeroDivisionError, ValueError, OverflowError):
        return None


def holds(value: float, predicate: Predicate) -> float:
    """Return 1.0 when the comparison holds, else 0.0."""
    if predicate.operator in _COMPARISON:
        return float(_COMPARISON[predicate.operator](value, predicate.bounds[0]))
    low, high = predicate.bounds
    inside = low <= value <= high
    return float(inside if predicate.operator == "in" else not inside)
