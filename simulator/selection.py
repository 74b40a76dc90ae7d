"""Which streams a query means, and at which instants it wants values."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.mql import Filter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grid:
    """The stamps of an answer: start <= stamp < end, every `resolution`, aligned to the epoch."""

    start: datetime
    end: datetime
    resolution: timedelta

    def stamps(self) -> list[datetime]:
        """Return the stamps in order."""
        first = _EPOCH + -(-(self.start - _EPOCH) // self.resolution) * self.resolution
        count = -((first - self.end) // self.resolution) if first < self.end else 0
        return [first + self.resolution * index for index in range(count)]


def matches(dimensions: dict[str, str], filters: Iterable[Filter]) -> bool:
    """Whether a stream passes all filters. A missing dimension only passes `!=`."""
    for condition in filters:
        value = dimensions.get(condition.dimension)
        match condition.operator:
            case "=":
                passed = value == condition.value
            case "!=":
                passed = value != condition.value
            case _:
                passed = value is not None and _fuzzy(condition.value).fullmatch(value) is not None
        if not passed:
            return False
    return True


def _fuzzy(pattern: str) -> re.Pattern[str]:
    """Translate `a|b*`: alternatives, and `*` for any text."""
    alternatives = (".*".join(map(re.escape, one.split("*"))) for one in pattern.split("|"))
    return re.compile("|".join(alternatives), re.DOTALL)
