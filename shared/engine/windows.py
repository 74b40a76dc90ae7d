"""Schedules as states: when is a window of local time open, and when does that change.

A window belongs to the local day on which it starts and is the unbroken interval from the FIRST
occurrence of its local start to the LAST occurrence of its local end. So it never flaps while the
clocks go back. A local time that the clocks skip is the end of the gap; a window that lies wholly
inside a gap is empty that day.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.config.models import Schedule

Interval = tuple[datetime, datetime]
"""[start, end) in UTC."""

_MINUTES_A_DAY = 24 * 60
_DAY = timedelta(days=1)
_QUARTER = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _local(day: date, minutes: int) -> datetime:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 # a wall time: the zone is applied below
    return midnight + timedelta(minutes=minutes)


def _gap_end(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the clocks jump over `wall`, found by bisection to the second."""
    low = (wall.replace(tzinfo=zone, fold=1)).astimezone(UTC)
    high = (wall.replace(tzinfo=zone, fold=0)).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def resolve(wall: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """The instant of a local wall time: its first or last occurrence, or the end of the gap."""
    instant = wall.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return instant
    return _gap_end(wall, zone)


@lru_cache(maxsize=65536)
def _window(
    zone_name: str, day: date, start: int, end: int, ready_early: timedelta
) -> Interval | None:
    zone = ZoneInfo(zone_name)
    opens = resolve(_local(day, start), zone, last=False)
    closes = resolve(_local(day, end + (_MINUTES_A_DAY if end <= start else 0)), zone, last=True)
    if closes <= opens:
        return None
    return opens - ready_early, closes


def starts_on(schedule: Schedule, day: date) -> bool:
    """Whether a window of this schedule starts on that local day."""
    return (
        schedule.active
        and day.weekday() in schedule.days
        and (schedule.from_ is None or day >= schedule.from_)
        and (schedule.until is None or day <= schedule.until)
        and day not in schedule.except_
    )


def window_of(schedule: Schedule, zone: str, day: date) -> Interval | None:
    """The window that starts on that local day, lead time included; None when there is none."""
    if not starts_on(schedule, day):
        return None
    return _window(zone, day, schedule.start, schedule.end, schedule.ready_early)


def _local_day(zone: str, at: datetime) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def is_open(schedule: Schedule, zone: str, at: datetime) -> bool:
    """Whether the schedule is in force at an instant. Pure state: a missed start still applies."""
    return closes_at(schedule, zone, at) is not None


def closes_at(schedule: Schedule, zone: str, at: datetime) -> datetime | None:
    """The end of the window that is open at an instant, or None when none is."""
    if not schedule.active:
        return None
    today = _local_day(zone, at)
    for offset in (0, -1, 1, -2):
        window = window_of(schedule, zone, today + offset * _DAY)
        if window is not None and window[0] <= at < window[1]:
            return window[1]
    return None


def steady_until(schedules: Iterable[tuple[Schedule, str]], at: datetime) -> datetime:
    """An instant up to which `closes_at` gives for every schedule what it gives at `at`.

    That is their next edge, and never later than the next quarter of an hour: days begin and clocks
    change at one in every zone.
    """
    until = at + _QUARTER - (at - _EPOCH) % _QUARTER
    for schedule, zone in schedules:
        today = _local_day(zone, at)
        for offset in (-2, -1, 0, 1):
            window = window_of(schedule, zone, today + offset * _DAY)
            for edge in window or ():
                if at < edge < until:
                    until = edge
    return until


def occurrences(
    schedule: Schedule, zone: str, start: datetime, end: datetime
) -> Iterator[Interval]:
    """Every window that touches [start, end), in the order of their start days."""
    day, final = _local_day(zone, start) - 2 * _DAY, _local_day(zone, end) + _DAY
    if schedule.from_ is not None:
        day = max(day, schedule.from_)
    if schedule.until is not None:
        final = min(final, schedule.until)
    while day <= final:
        window = window_of(schedule, zone, day)
        if window is not None and window[0] < end and window[1] > start:
            yield window
        day += _DAY


def _forever(schedule: Schedule, zone: str, after: datetime) -> datetime:
    """Windows that still touch each other at this instant will do so for ever.

    With a lead time, windows that touch may come apart for a day when the clocks change.
    """
    dated = [*schedule.except_, *([schedule.until] if schedule.until else [])]
    last = max([*dated, _local_day(zone, after)])
    patience = 9 * _DAY if not schedule.ready_early else 400 * _DAY
    return min(
        datetime(last.year, last.month, last.day, tzinfo=UTC) + patience, after + 4000 * _DAY
    )


def next_change(schedule: Schedule, zone: str, after: datetime) -> datetime | None:
    """The first instant later than `after` at which the schedule opens or closes; None: never."""
    if not schedule.active:
        return None
    edge = closes_at(schedule, zone, after)
    if edge is not None:
        patience = _forever(schedule, zone, after)
        while (further := closes_at(schedule, zone, edge)) is not None:
            if further > patience:
                return None
            edge = further
        return edge
    first = _local_day(zone, after) - _DAY
    if schedule.from_ is not None:
        first = max(first, schedule.from_)
    horizon = first + timedelta(days=7 * (len(schedule.except_) + 4))
    day = first
    while day <= horizon and (schedule.until is None or day <= schedule.until):
        window = window_of(schedule, zone, day)
        if window is not None and window[0] > after:
            return window[0]
        day += _DAY
    return None
