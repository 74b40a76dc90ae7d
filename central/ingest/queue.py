"""The bounded queue between the requests and the one writer."""

import threading
from collections import deque

from central.ingest.model import Submission


class QueueFullError(Exception):
    """Ingest is behind; the caller is asked to come back later."""


class IngestQueue:
    """Waiting heartbeats, bounded by records and by bytes.

    A heartbeat counts as one record more than it carries. `take` hands out everything that waits,
    up to `batch_records`, which is what makes the commits grow with the load.
    """

    def __init__(
        self,
        *,
        max_records: int = 50_000,
        max_bytes: int = 64 * 1024 * 1024,
        batch_records: int = 4_000,
    ) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._batch_records = batch_records
        self._waiting: deque[Submission] = deque()
        self._records = 0
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, submission: Submission) -> None:
        """Add a heartbeat.

        Raises:
            QueueFullError: there is no room, or central is stopping.
        """
        weight = 1 + len(submission.records)
        with self._changed:
            full = (
                self._records + weight > self._max_records
                or self._bytes + submission.size > self._max_bytes
            )
            if self._closed or full:
                raise QueueFullError
            self._waiting.append(submission)
            self._count(submission, 1)
            self._changed.notify()

    def put_back(self, submissions: list[Submission]) -> None:
        """Return heartbeats whose node was busy; they keep their place at the front."""
        with self._changed:
            self._waiting.extendleft(reversed(submissions))
            for submission in submissions:
                self._count(submission, 1)

    def take(self) -> list[Submission] | None:
        """Wait for heartbeats and take them; None once the queue is closed and empty."""
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            batch: list[Submission] = []
            weight = 0
            while self._waiting and weight < self._batch_records:
                submission = self._waiting.popleft()
                self._count(submission, -1)
                weight += 1 + len(submission.records)
                batch.append(submission)
            return batch

    def pause(self, seconds: float) -> None:
        """Wait a moment, or less if a new heartbeat arrives."""
        with self._changed:
            self._changed.wait(seconds)

    def close(self) -> None:
        """Accept nothing more; what waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._waiting)

    def _count(self, submission: Submission, sign: int) -> None:
        self._records += sign * (1 + len(submission.records))
        self._bytes += sign * submission.size
