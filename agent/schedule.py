"""When ticks are due: at multiples of the poll interval, and exactly when a schedule changes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.triggers.base import BaseTrigger

from agent.clock import ScaledClock
from agent.config_apply import Running
from shared.engine.plan import next_change

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WITHOUT_CONFIG = timedelta(seconds=5)
_A_HAIR = timedelta(milliseconds=1)


class Agenda:
    """Knows the next tick's instant, in simulated time."""

    def __init__(self, running: Callable[[], Running | None]) -> None:
        self._running = running
        self._hash: str | None = None
        self._edge: datetime | None = None

    def next_after(self, now: datetime) -> datetime:
        """Return the first instant later than `now` at which a tick is due."""
        running = self._running()
        if running is None:
            return _multiple_after(now, _WITHOUT_CONFIG)
        if running.hash != self._hash or (self._edge is not None and self._edge <= now):
            self._hash = running.hash
            edges = (next_change(plan, now) for plan in running.plans.values())
            self._edge = min((edge for edge in edges if edge is not None), default=None)
        regular = _multiple_after(now, running.config.poll_interval)
        return regular if self._edge is None else min(regular, self._edge)

    @property
    def edge(self) -> datetime | None:
        """When a schedule or override changes next, as of the last call: no phase delays that."""
        return self._edge


class TickTrigger(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """APScheduler's view of the agenda, in wall time: a hair late, never early.

    So a schedule that begins at 08:00 is open in the tick that is made for it.
    """

    def __init__(self, clock: ScaledClock, agenda: Agenda, phase: Callable[[], timedelta]) -> None:
        self._clock = clock
        self._agenda = agenda
        self._phase = phase

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the wall time of the next tick. It depends on the clock alone."""
        del previous, now
        planned = self._agenda.next_after(self._clock.now())
        due = self._clock.wall_at(planned) + self._phase()
        if self._agenda.edge is not None:
            due = min(due, self._clock.wall_at(self._agenda.edge))
        return due + _A_HAIR

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("ticks are not stored")


def _multiple_after(now: datetime, interval: timedelta) -> datetime:
    return _EPOCH + ((now - _EPOCH) // interval + 1) * interval
