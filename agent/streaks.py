"""Failures that repeat: told when they begin or change, counted, and told once more at the end."""

import threading
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

QUIET = timedelta(minutes=5)
"""A failure that was not seen for so long is over, though nothing succeeded since."""


@dataclass(frozen=True, slots=True)
class Streak:
    """The same failure, `count` times from `since` to `last`."""

    what: str
    since: datetime
    last: datetime
    count: int = 1

    def __str__(self) -> str:
        first, last = (at.isoformat(timespec="seconds") for at in (self.since, self.last))
        return f"{self.what}: {self.count} times from {first} to {last}"


class Streaks:
    """Counts failures by key. Safe to use from any thread; a key belongs to one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Hashable, Streak] = {}

    def failed(self, key: Hashable, what: str, now: datetime) -> tuple[bool, Streak | None]:
        """Count a failure.

        Args:
            key: what it happens to.
            what: the same text for the same failure.
            now: when it happened.

        Returns:
            Whether it is news, and the streak of another failure that it ends.
        """
        with self._lock:
            known = self._open.get(key)
            if known is not None and known.what == what:
                self._open[key] = replace(known, last=now, count=known.count + 1)
                return False, None
            self._open[key] = Streak(what, now, now)
            return True, known

    def ended(self, key: Hashable) -> Streak | None:
        """Note a success; return the streak that it ends."""
        with self._lock:
            return self._open.pop(key, None)

    def faded(self, key: Hashable, now: datetime) -> Streak | None:
        """Return the streak of a key that ended because it was not seen for a while."""
        with self._lock:
            known = self._open.get(key)
            if known is None or abs(now - known.last) < QUIET:
                return None
            return self._open.pop(key)
