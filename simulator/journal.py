"""The log of requests, so that a test can count what a client really sent."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its outcome.

    Attributes:
        operation: such as SummarizeMetricsData.
        at: simulated time; `wall` is wall time.
        status: of the answer that was made; 0 when the request was dropped unread.
        lost: whether the connection was closed instead of sending it.
        query: the query parameters.
        user: OCID of who signed it; None when the signature failed.
        detail: the MQL text of a metrics query, the wanted size of an update.
    """

    operation: str
    method: str
    path: str
    region: str | None
    at: datetime
    wall: datetime
    status: int
    opc_request_id: str
    query: dict[str, str]
    user: str | None = None
    lost: bool = False
    detail: str | None = None


class Journal:
    """Entries in the order of their answers, the newest `limit` of them."""

    def __init__(self, limit: int = 100_000) -> None:
        self._entries: list[Entry] = []
        self._limit = limit

    def add(self, entry: Entry) -> None:
        """Append one."""
        self._entries.append(entry)
        if len(self._entries) > self._limit:
            del self._entries[: self._limit // 10]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, oldest first."""
        return tuple(self._entries)

    def count(self, operation: str | None = None) -> int:
        """Return how many requests there were, of one operation or of all."""
        return sum(operation in (None, entry.operation) for entry in self._entries)

    def by_operation(self) -> dict[str, int]:
        """Return the number of requests of each operation."""
        return dict(Counter(entry.operation for entry in self._entries))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
