"""What a configuration's schedules will do in the next days, beside the active one. Pure."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from shared.config.models import Config
from shared.engine.plan import Plan
from shared.preview import Change, changes, clock_changes, zone_of
from shared.wire_review import BoundsChange, ClockShift, PoolPreview

DAYS = 14
MINUTE = timedelta(minutes=1)
MOST_POOLS = 20
MOST_CHANGES = 80  # of one pool: a window on each of 14 days and some more


def previews(
    new: Config, current: Config | None, now: datetime, in_time: Callable[[], bool]
) -> tuple[list[PoolPreview], int]:
    """Previews of pools with schedules or overrides, and how many pools were left out.

    `in_time` tells whether there is time for more: thousands of schedules take long to follow.
    """
    wanted = [pool.name for pool in new.pools if _moves(new, pool.name)]
    found: list[PoolPreview] = []
    for name in wanted[:MOST_POOLS]:
        if not in_time():
            break
        found.append(_preview(new, current, name, now, in_time))
    return found, len(wanted) - len(found)


def _moves(config: Config, pool: str) -> bool:
    return bool(config.schedules_of(pool) or config.overrides_of(pool))


def _preview(
    new: Config, current: Config | None, name: str, now: datetime, in_time: Callable[[], bool]
) -> PoolPreview:
    end = now + timedelta(days=DAYS)
    rows, complete = _bounded(changes(new, name, now, end), in_time)
    before: list[Change] = []
    if current is not None and current.pool(name) is not None:
        before, _ = _bounded(changes(current, name, now, end), in_time)
    zone = zone_of(new, Plan.of(new, name))
    return PoolPreview(
        pool=name,
        timezone=zone,
        changes=[_told(row) for row in rows],
        clock_changes=[
            ClockShift(
                at=turn.at,
                direction=turn.direction,
                minutes=int(abs(turn.by).total_seconds() // 60),
            )
            for turn in clock_changes(zone, now, end)
        ],
        as_now=rows == before,
        complete=complete,
    )


def _bounded(entries: Iterator[Change], in_time: Callable[[], bool]) -> tuple[list[Change], bool]:
    """The first entries, and whether they are all."""
    found: list[Change] = []
    for entry in islice(entries, MOST_CHANGES + 1):
        if len(found) == MOST_CHANGES or not in_time():
            return found, False
        found.append(entry)
    return found, True


def _told(change: Change) -> BoundsChange:
    bounds = change.bounds
    return BoundsChange(
        at=change.at,
        local=change.local,
        floor=bounds.floor,
        ceiling=bounds.ceiling,
        schedules=list(bounds.schedules),
        override=bounds.override,
        clock_change=change.clock_change,
    )
