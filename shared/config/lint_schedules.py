"""Lints of schedules: windows that never open, that nobody notices, or that contradict."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.config.models import Config, Limits, Schedule
from shared.config.places import Places
from shared.config.problems import Problem
from shared.config.units import format_clock_time
from shared.engine.windows import Interval, occurrences, starts_on, window_of

_DAY = timedelta(days=1)
_YEAR = 366
_SOME_YEAR = date(2026, 1, 1)  # the rules of daylight saving are alike from year to year
_PAIRS = 2_000  # beyond so many contradictions to look at, the first ones tell enough

Numbered = tuple[int, Schedule]


def schedule_lints(config: Config, places: Places, now: datetime | None) -> Iterator[Problem]:
    """What is legal but wrong in the schedules of a file."""
    limits = {pool.name: pool.limits for pool in config.pools}
    everywhere = _envelope(limits.values())
    opening: list[Numbered] = []
    for index, schedule in enumerate(config.schedules):
        never = _why_never(schedule, config.zone_of(schedule), now)
        if never is not None:
            yield places.problem(("schedules", index), f"never opens: {never}", at_key=True)
            continue
        opening.append((index, schedule))
        yield from _skipped_by_the_clocks(config, index, schedule, places, now)
        around = everywhere
        if schedule.pools is not None:
            around = _envelope(limits[name] for name in schedule.pools)
        yield from _without_effect(index, schedule, around, places)
    yield from _contradictions(config, opening, places, now)


def _envelope(limits: Iterable[Limits]) -> Limits | None:
    """The lowest min and the highest max, or None without any pool."""
    every = list(limits)
    if not every:
        return None
    return Limits(min=min(each.min for each in every), max=max(each.max for each in every))


def _why_never(schedule: Schedule, zone: str, now: datetime | None) -> str | None:
    if not schedule.active:
        return "active is false"
    if schedule.until is not None and schedule.until + 2 * _DAY < _today(zone, now):
        return f"it ended on {schedule.until}"
    if schedule.from_ is None or schedule.until is None:
        return None  # without an end one of its days always comes
    days = (schedule.until - schedule.from_).days + 1
    # Each left-out date can hide one start; after that many weeks every weekday was seen open.
    dates = [schedule.from_ + n * _DAY for n in range(min(days, 7 * (len(schedule.except_) + 2)))]
    starts = [day for day in dates if starts_on(schedule, day)]
    if not starts:
        if any(day.weekday() in schedule.days for day in dates):
            return "all its dates are left out by `except`"
        return "none of its days lies between from and until"
    if all(window_of(schedule, zone, day) is None for day in starts):
        return "the clocks skip its whole window on its only date"
    return None


def _today(zone: str, now: datetime | None) -> date:
    return date.min if now is None else now.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=256)
def _spring_days(zone_name: str, first: date) -> tuple[date, ...]:
    """The local days of one year on which the clocks go forward."""
    zone = ZoneInfo(zone_name)
    offsets = [
        datetime.combine(first + n * _DAY, time(), tzinfo=zone).utcoffset() or timedelta()
        for n in range(_YEAR + 1)
    ]
    return tuple(first + n * _DAY for n in range(_YEAR) if offsets[n + 1] > offsets[n])


def _skipped_by_the_clocks(
    config: Config, index: int, schedule: Schedule, places: Places, now: datetime | None
) -> Iterator[Problem]:
    zone = config.zone_of(schedule)
    for day in _spring_days(zone, _first_day(now)):
        if starts_on(schedule, day) and window_of(schedule, zone, day) is None:
            yield places.problem(
                ("schedules", index, "start"),
                f"the clocks skip {format_clock_time(schedule.start)} to"
                f" {format_clock_time(schedule.end)} on {day} in {zone}: no window that day",
            )


def _first_day(now: datetime | None) -> date:
    return _SOME_YEAR if now is None else now.date()


def _without_effect(
    index: int, schedule: Schedule, around: Limits | None, places: Places
) -> Iterator[Problem]:
    target = schedule.target_instances
    here = ("schedules", index, "target_instances")
    if around is None:
        return
    if schedule.mode == "at_least" and target <= around.min:
        advice = (
            "; to hold the pool down use mode at_most or exactly"
            if target == 0
            else "; the limits already keep that many"
        )
        yield places.problem(here, f"at_least {target} has no effect{advice}")
    if schedule.mode == "at_most" and target >= around.max:
        yield places.problem(
            here, f"at_most {target} has no effect; the limits allow no more anyway"
        )


def _contradictions(
    config: Config, opening: list[Numbered], places: Places, now: datetime | None
) -> Iterator[Problem]:
    """Floors above a ceiling, where both windows are open for one pool at one time."""
    calendar = _Calendar(config, now)
    ceilings = [entry for entry in opening if entry[1].mode != "at_least"]
    looked_at = 0
    for floor in (entry for entry in opening if entry[1].mode != "at_most"):
        for ceiling in ceilings:
            if not _could_contradict(floor[1], ceiling[1]):
                continue
            looked_at += 1
            if looked_at > _PAIRS:
                return
            at = calendar.first_overlap(floor, ceiling)
            if at is None:
                continue
            zone = config.zone_of(floor[1])
            yield places.problem(
                ("schedules", floor[0], "target_instances"),
                f"the floor {floor[1].target_instances} is above the ceiling"
                f" {ceiling[1].target_instances} of schedule {ceiling[1].name!r} when both are"
                f" open, as on {at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone};"
                " the floor wins",
            )
            break  # the first one is enough to mend


def _could_contradict(floor: Schedule, ceiling: Schedule) -> bool:
    """Whether they would fight if they were open together."""
    if floor.target_instances <= ceiling.target_instances:
        return False
    if floor.pools is None or ceiling.pools is None:
        return True
    return not set(floor.pools).isdisjoint(ceiling.pools)


class _Calendar:
    """The windows of a year, worked out once for each schedule and first day."""

    def __init__(self, config: Config, now: datetime | None) -> None:
        self._config = config
        self._now = now
        self._years: dict[tuple[int, date], list[Interval]] = {}

    def first_overlap(self, one: Numbered, other: Numbered) -> datetime | None:
        """The first instant at which both are open, or None."""
        first = _first_common_day(one[1], other[1], self._now)
        windows, others = self._year(one, first), self._year(other, first)
        starts = [start for start, _ in others]
        for start, end in windows:
            at = bisect_right(starts, start) - 1
            for candidate in others[max(at, 0) : at + 2]:
                if max(start, candidate[0]) < min(end, candidate[1]):
                    return max(start, candidate[0])
        return None

    def _year(self, entry: Numbered, first: date) -> list[Interval]:
        index, schedule = entry
        if (index, first) not in self._years:
            start = datetime.combine(first, time(), tzinfo=UTC)
            zone = self._config.zone_of(schedule)
            self._years[index, first] = [*occurrences(schedule, zone, start, start + _YEAR * _DAY)]
        return self._years[index, first]


def _first_common_day(one: Schedule, other: Schedule, now: datetime | None) -> date:
    """From where to look for an overlap: today, or the day from which both can open."""
    first = max(_first_day(now), one.from_ or date.min, other.from_ or date.min)
    last = min(one.until or date.max, other.until or date.max)
    return first if now is not None or first <= last else last - 14 * _DAY
