"""What the schedules will do to a pool in the next two weeks: a list, and a drawing of it. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from shared.config.models import Config
from shared.preview import Change, ClockChange, changes, clock_changes

AHEAD = timedelta(days=14)
WIDTH, HEIGHT, TOP, BOTTOM, LEFT = 840.0, 150.0, 14.0, 22.0, 34.0


@dataclass(frozen=True, slots=True)
class Preview:
    """Changes of the bounds and of the clocks, each oldest first.

    The first change is the state now.
    """

    start: datetime
    end: datetime
    changes: tuple[Change, ...]
    clocks: tuple[ClockChange, ...]

    @property
    def zone(self) -> str:
        """The zone in which this pool's schedules are read."""
        return self.changes[0].zone

    @property
    def rows(self) -> list[Change | ClockChange]:
        """Everything in the order of time; what a clock change causes comes after it."""
        both: list[Change | ClockChange] = [*self.changes, *self.clocks]
        return sorted(both, key=lambda row: (row.at, isinstance(row, Change)))


def preview(config: Config | None, pool: str, now: datetime) -> Preview | None:
    """The next two weeks of a pool; None for one that is not in the configuration."""
    if config is None or all(found.name != pool for found in config.pools):
        return None
    start = now.replace(tzinfo=UTC) if now.tzinfo is None else now
    end = start + AHEAD
    found = tuple(changes(config, pool, start, end))
    return Preview(start, end, found, tuple(clock_changes(found[0].zone, start, end)))


def causes(change: Change) -> str:
    """Why the bounds are what they are."""
    if change.bounds.override is not None:
        return f"override: {change.bounds.override}"
    return ", ".join(change.bounds.schedules) or "limits"


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes of a timeline, in units of its view box.

    Attributes:
        band: polygon between floor and ceiling.
        days: (x, label) of every second midnight of the zone.
        levels: (y, instances) of the scale.
        clocks: (x, label) of clock changes.
    """

    band: str
    days: tuple[tuple[float, str], ...]
    levels: tuple[tuple[float, int], ...]
    clocks: tuple[tuple[float, str], ...]


def drawing(shown: Preview) -> Drawing:
    """A preview as shapes."""
    top = max(1, *(change.bounds.ceiling for change in shown.changes), 0)
    spans = list(pairwise([*(change.at for change in shown.changes), shown.end]))
    upper, lower = [], []
    for change, (start, end) in zip(shown.changes, spans, strict=True):
        left, right = _x(shown, start), _x(shown, end)
        high, low = _y(change.bounds.ceiling, top), _y(change.bounds.floor, top)
        upper += [f"{left:g},{high:g}", f"{right:g},{high:g}"]
        lower += [f"{left:g},{low:g}", f"{right:g},{low:g}"]
    return Drawing(
        " ".join([*upper, *reversed(lower)]),
        tuple((_x(shown, day), f"{day:%a %d}") for day in _days(shown)),
        tuple((_y(count, top), count) for count in sorted({0, top // 2, top})),
        tuple((_x(shown, clock.at), f"clocks {clock.direction}") for clock in shown.clocks),
    )


def _x(shown: Preview, moment: datetime) -> float:
    share = (moment - shown.start) / (shown.end - shown.start)
    return round(LEFT + (WIDTH - LEFT) * share, 1)


def _y(count: int, top: int) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * count / top, 1)


def _days(shown: Preview) -> list[datetime]:
    """Every second midnight of the zone."""
    zone = ZoneInfo(shown.zone)
    first = shown.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = [first + timedelta(days=day) for day in range(1, AHEAD.days, 2)]
    return [day for day in found if shown.start < day < shown.end]
