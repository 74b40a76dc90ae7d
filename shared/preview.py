"""What schedules and overrides will do to a pool's bounds, computed by the engine's own functions.

An entry tells the state from its instant until the next one. Clock changes of the zone are found
too, because they are what operators look for in a preview.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.config.models import Config
from shared.engine.bounds import bounds_at
from shared.engine.model import Bounds
from shared.engine.plan import Plan, next_change


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on the pool's bounds are these.

    Attributes:
        zone: the IANA zone in which people read this pool's schedules.
        clock_change: forward or back when the zone's clocks have changed since the entry before.
    """

    at: datetime
    pool: str
    zone: str
    bounds: Bounds
    clock_change: str | None = None

    @property
    def local(self) -> datetime:
        """The instant as local time with its offset."""
        return self.at.astimezone(ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The clocks of `zone` go forward or back at `at` by `by`."""

    at: datetime
    zone: str
    by: timedelta

    @property
    def direction(self) -> str:
        """Forward or back."""
        return "forward" if self.by > timedelta(0) else "back"


def zone_of(config: Config, plan: Plan) -> str:
    """The zone that all of the pool's schedules share; the file's where they differ."""
    zones = {zone for _, zone in plan.schedules}
    return zones.pop() if len(zones) == 1 else config.timezone


def changes(config: Config, pool: str, start: datetime, end: datetime) -> Iterator[Change]:
    """The state at `start`, then every change up to and including `end` (aware UTC instants)."""
    plan = Plan.of(config, pool)
    zone = zone_of(config, plan)
    shown = Change(start, pool, zone, bounds_at(plan, start, None))
    yield shown
    edge = next_change(plan, start)
    while edge is not None and edge <= end:
        at, edge = edge, next_change(plan, edge)
        bounds = bounds_at(plan, at, None)
        if _essence(bounds) == _essence(shown.bounds):
            continue
        shifted = Change(at, pool, zone, bounds)
        by = _offset(shifted.local) - _offset(shown.local)
        turned = ClockChange(at, zone, by).direction if by else None
        shown = Change(at, pool, zone, bounds, turned)
        yield shown


def _essence(bounds: Bounds) -> tuple[int, int, tuple[str, ...], str | None]:
    return bounds.floor, bounds.ceiling, bounds.schedules, bounds.override


def _offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta(0)


def clock_changes(zone: str, start: datetime, end: datetime) -> list[ClockChange]:
    """Every change of the zone's UTC offset in (start, end], to the second."""
    region, found = ZoneInfo(zone), []
    low = start
    while low < end:
        high = min(low + timedelta(days=1), end)
        by = _offset(high.astimezone(region)) - _offset(low.astimezone(region))
        if by:
            found.append(ClockChange(_turn(region, low, high), zone, by))
        low = high
    return found


def _turn(region: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = _offset(low.astimezone(region))
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if _offset(middle.astimezone(region)) == before:
            low = middle
        else:
            high = middle
    return high.astimezone(UTC).replace(microsecond=0)


def change_to_json(change: Change) -> dict[str, Any]:
    """An entry as scripts read it."""
    return {
        "at": change.at.isoformat().replace("+00:00", "Z"),
        "local": change.local.isoformat(),
        "timezone": change.zone,
        "pool": change.pool,
        "floor": change.bounds.floor,
        "ceiling": change.bounds.ceiling,
        "schedules": list(change.bounds.schedules),
        "override": change.bounds.override,
        "clock_change": change.clock_change,
    }
