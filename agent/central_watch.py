"""Watches the way to central: when it last answered, and what is wrong when it does not."""

import threading
from collections import Counter
from datetime import datetime

from agent.central_client import CentralError
from agent.clock import Wall
from agent.heartbeat import Central
from shared.wire import Heartbeat, HeartbeatAnswer


class WatchedCentral:
    """Passes heartbeats on and remembers how they went.

    Attributes:
        answered_at: wall time of the newest answer, or None.
        error: why the newest attempt failed, or None when it did not.
        attempts: how many were `accepted` and how many `failed`.
    """

    def __init__(self, central: Central, wall: Wall) -> None:
        self._central = central
        self._wall = wall
        self._lock = threading.Lock()
        self.answered_at: datetime | None = None
        self.error: str | None = None
        self.attempts: Counter[str] = Counter()

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        """See `Central.post`."""
        try:
            answer = self._central.post(beat)
        except CentralError as error:
            with self._lock:
                self.error = str(error)
                self.attempts["failed"] += 1
            raise
        with self._lock:
            self.error = None
            self.answered_at = self._wall()
            self.attempts["accepted"] += 1
        return answer
