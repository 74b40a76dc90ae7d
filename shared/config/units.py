"""Values with units as operators write them: `30s`, `5m`, `2h`, `50%`, `08:00`.

Percentages and thresholds are kept as exact rationals, so that 66 is inside "60 within 10 %"
and not a rounding error away from it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(\d{1,9})(s|m|h|d)", re.ASCII)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PERCENT = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?%", re.ASCII)
_CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)


@dataclass(frozen=True, slots=True)
class Noun:
    """What a type of the file is called in the documentation."""

    word: str


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `5m`, `2h` or `1d`; a bare 0 is allowed. Raises ValueError with a sentence."""
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration with its unit, such as 30s, 5m or 2h")
    return timedelta(seconds=int(match[1]) * _UNIT_SECONDS[match[2]])


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that keeps it whole: 300 s is `5m`, 90 s is `90s`."""
    seconds = round(value.total_seconds())
    for unit in ("h", "m"):
        if seconds and seconds % _UNIT_SECONDS[unit] == 0:
            return f"{seconds // _UNIT_SECONDS[unit]}{unit}"
    return f"{seconds}s"


def exact(value: float | str) -> Fraction:
    """The number as it was written in decimal: 0.1 becomes 1/10, not its binary neighbour."""
    return Fraction(value) if isinstance(value, int) else Fraction(str(value))


def parse_percent(value: object) -> Fraction:
    """Read `10%` as 1/10. Raises ValueError with a sentence."""
    if isinstance(value, Fraction):
        return value
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a percentage such as 10%")
    return Fraction(match[1]) / 100


def format_percent(value: Fraction) -> str:
    """Write 1/10 as `10%`."""
    return f"{float(value * 100):g}%"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of instances, either a count or a share of the pool's size.

    Attributes:
        value: the count, or the share as a fraction (1/2 for `50%`).
        is_percent: True when `value` is a share.
    """

    value: Fraction
    is_percent: bool

    def added_to(self, size: int) -> int:
        """Instances that this amount adds to a pool of `size`: rounded up, at least 1."""
        if not self.is_percent:
            return int(self.value)
        return max(1, -((-size * self.value.numerator) // self.value.denominator))

    def removed_from(self, size: int) -> int:
        """Instances that this amount removes from a pool of `size`: rounded down, at least 1."""
        if not self.is_percent:
            return int(self.value)
        return max(1, (size * self.value.numerator) // self.value.denominator)

    def __str__(self) -> str:
        return format_percent(self.value) if self.is_percent else str(int(self.value))


def parse_amount(value: object) -> Amount:
    """Read `2` or `50%`. Raises ValueError with a sentence."""
    if isinstance(value, Amount):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= 100_000:
            raise ValueError("must be at least 1 (or a percentage such as 50%)")
        return Amount(Fraction(value), is_percent=False)
    if isinstance(value, str) and value.endswith("%"):
        share = parse_percent(value)
        if not 0 < share <= 100:
            raise ValueError("must be above 0% and at most 10000%")
        return Amount(share, is_percent=True)
    raise ValueError("must be a whole number of instances such as 2, or a percentage such as 50%")


def format_amount(amount: Amount) -> int | str:
    """Write an amount as the file would: 2 or `50%`."""
    return str(amount) if amount.is_percent else int(amount.value)


def parse_clock_time(value: object) -> int:
    """Read `08:00` as minutes after local midnight (480); 24:00 is 1440. Raises ValueError."""
    if not isinstance(value, str) or _CLOCK_TIME.fullmatch(value) is None:
        raise ValueError('must be a local time such as "08:00" (HH:MM, 00:00 to 24:00)')
    hours, minutes = value.split(":")
    return int(hours) * 60 + int(minutes)


def format_clock_time(minutes: int) -> str:
    """Write minutes after midnight as `HH:MM`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def parse_number(value: object) -> Fraction:
    """Read a finite number exactly. Raises ValueError with a sentence."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reads ValueError only
    return exact(value)


def _schema(pattern: str, *examples: Any, also: dict[str, Any] | None = None) -> WithJsonSchema:
    text: dict[str, Any] = {"type": "string", "pattern": pattern, "examples": list(examples)}
    return WithJsonSchema({"anyOf": [text, also]} if also else text)


Duration = Annotated[
    timedelta,
    Noun("duration"),
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    _schema(r"^\d{1,9}(s|m|h|d)$", "30s", "5m", also={"const": 0}),
]
Percentage = Annotated[
    Fraction,
    Noun("percentage"),
    BeforeValidator(parse_percent),
    PlainSerializer(format_percent),
    _schema(r"^\d{1,6}(\.\d{1,6})? ?%$", "10%"),
]
InstanceAmount = Annotated[
    Amount,
    Noun("count or percentage"),
    BeforeValidator(parse_amount),
    PlainSerializer(format_amount),
    _schema(r"^\d{1,6}(\.\d{1,6})? ?%$", "50%", also={"type": "integer", "minimum": 1}),
]
ClockTime = Annotated[
    int,
    Noun("local time"),
    BeforeValidator(parse_clock_time),
    PlainSerializer(format_clock_time),
    _schema(r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$", "08:00"),
]
Number = Annotated[
    Fraction,
    Noun("number"),
    BeforeValidator(parse_number),
    PlainSerializer(float),
    WithJsonSchema({"type": "number"}),
]
