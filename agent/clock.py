"""Two kinds of time. Simulated time drives decisions, wall time drives the network.

`now`, `elapsed` and `wait` of a `Clock` are in the time that pool states, metrics, schedules and
cooldowns follow. On a real node that is the wall clock; in a rehearsal it may run faster, or be
stepped by a test. The system's own clock is passed in: nothing here reads it.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

Wall = Callable[[], datetime]
Monotonic = Callable[[], float]


class Clock(Protocol):
    """The time that decisions follow."""

    def now(self) -> datetime:
        """Return the instant, aware and in UTC."""
        ...

    def elapsed(self) -> float:
        """Return seconds that only ever grow, whatever is done to the clock; from any origin."""
        ...


class SteppedClock:
    """Stands still until a test advances it."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the instant of the last step."""
        return self._now

    def elapsed(self) -> float:
        """Return the seconds stepped so far; a clock that is set does not change them."""
        return self._elapsed

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by
        self._elapsed += by.total_seconds()

    def set(self, to: datetime) -> None:
        """Set the clock as an administrator would: no time passes."""
        self._now = to


class ScaledClock:
    """Runs `scale` times as fast as wall time, from a pair of origins; 1 is the wall clock.

    Processes that share both origins and the scale agree on the simulated time.
    """

    def __init__(
        self,
        wall: Wall,
        monotonic: Monotonic,
        *,
        origin_simulated: datetime | None = None,
        origin_wall: datetime | None = None,
        scale: float = 1.0,
    ) -> None:
        if scale <= 0:
            raise ValueError(f"the clock's scale must be above 0: {scale:g}")
        self._wall = wall
        self._monotonic = monotonic
        self._origin_wall = origin_wall or wall()
        self._origin_simulated = origin_simulated or self._origin_wall
        self.scale = scale

    def now(self) -> datetime:
        """Return origin_simulated + (wall - origin_wall) × scale."""
        return self._origin_simulated + (self._wall() - self._origin_wall) * self.scale

    def elapsed(self) -> float:
        """Return monotonic seconds, scaled."""
        return self._monotonic() * self.scale

    def wall_at(self, instant: datetime) -> datetime:
        """Return the wall time at which this clock shows `instant`."""
        return self._origin_wall + (instant - self._origin_simulated) / self.scale


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant. Raises ValueError when it is none."""
    return datetime.fromisoformat(text)


class Sleeper(Protocol):
    """Waits in wall time, and wakes early when the agent is told to stop."""

    def __call__(self, seconds: float, /) -> bool:
        """Wait; return True when it is time to stop."""
        ...


def sleeper(stop: threading.Event) -> Sleeper:
    """Return a sleeper that wakes when `stop` is set."""

    def sleep(seconds: float, /) -> bool:
        return stop.wait(seconds) if seconds > 0 else stop.is_set()

    return sleep
