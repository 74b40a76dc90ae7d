"""Simulated time: what pool states, metrics and timestamps follow.

HTTP, signatures and rate limits follow wall time instead, which is passed in as a function.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

Now = Callable[[], datetime]


class Clock(Protocol):
    """A source of simulated time that an operator may move forward."""

    def now(self) -> datetime:
        """Return the simulated instant, aware and in UTC. It never goes back."""
        ...

    def advance(self, by: timedelta) -> None:
        """Move forward.

        Raises:
            ValueError: `by` is negative.
        """
        ...


class SteppedClock:
    """Stands still until somebody advances it."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the instant of the last step."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Step forward; a negative step raises ValueError."""
        self._now += _forward(by)


class ScaledClock:
    """Runs `scale` times as fast as wall time, from a pair of origins.

    Two processes that share both origins and the scale agree on the simulated time, as long as
    nobody advances or rescales one of them.
    """

    def __init__(
        self, wall: Now, *, origin_simulated: datetime, origin_wall: datetime, scale: float = 1
    ) -> None:
        self._wall = wall
        self._origin_simulated = origin_simulated
        self._origin_wall = origin_wall
        self.rescale(scale)

    def now(self) -> datetime:
        """Return origin_simulated + (wall - origin_wall) * scale."""
        elapsed = self._wall() - self._origin_wall
        return self._origin_simulated + max(elapsed, timedelta(0)) * self._scale

    def advance(self, by: timedelta) -> None:
        """Jump forward; a negative jump raises ValueError."""
        self._origin_simulated += _forward(by)

    def rescale(self, scale: float) -> None:
        """Change the speed from now on without a jump; 0 stops the clock."""
        if scale < 0:
            raise ValueError(f"the clock's scale must not be negative: {scale}")
        if hasattr(self, "_scale"):
            self._origin_simulated, self._origin_wall = self.now(), self._wall()
        self._scale = scale


def _forward(by: timedelta) -> timedelta:
    if by < timedelta(0):
        raise ValueError(f"the clock never goes back: {by.total_seconds():g} s")
    return by
