"""The journal of writes: an intent before each resize, its outcome after it.

A crash between the two leaves an open intent; the next start reads the pool back before it
decides anything, so that one decision never becomes two steps.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from agent.clock import parse_instant
from agent.files import read_sealed, write_sealed
from shared.engine.model import LastWrite

Status = Literal["open", "applied", "failed"]


@dataclass(frozen=True, slots=True)
class Intent:
    """One resize that was, or was about to be, asked for.

    Attributes:
        before: the size that the decision saw.
        to: the size asked for.
        etag: of the pool when it was asked.
        token: the retry token of the request, unique to it.
        at: the decision's instant.
        reason: why, for the report of a write whose outcome is only found out later.
        memory: the decision's memory as JSON; a crash before the state is saved must not forget
            from where the pool came, or the next life would know of no cooldown.
    """

    pool_id: str
    before: int
    to: int
    etag: str
    token: str
    at: datetime
    reason: str = ""
    memory: dict[str, Any] = field(default_factory=dict)
    status: Status = "open"


class Journal:
    """The newest intent of each pool, one small file for each."""

    def __init__(self, directory: Path, *, stamp: str, on_problem: Callable[[str], object]) -> None:
        self._directory = directory
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._intents: dict[str, Intent] = {}
        self._behind: set[str] = set()
        directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(directory.glob("*.json")):
            content = read_sealed(path, stamp=stamp, on_problem=on_problem)
            if content is not None:
                try:
                    intent = Intent(**{**content, "at": parse_instant(content["at"])})
                    self._intents[intent.pool_id] = intent
                except (TypeError, ValueError, KeyError) as error:
                    on_problem(f"{path} is not an intent: {error}")

    def newest(self, pool_id: str) -> Intent | None:
        """Return the newest intent of a pool, whatever became of it."""
        with self._lock:
            return self._intents.get(pool_id)

    def last_write(self, pool_id: str) -> LastWrite | None:
        """Return our newest accepted resize: until OCI shows it, what it shows is old."""
        intent = self.newest(pool_id)
        if intent is None or intent.status != "applied":
            return None
        return LastWrite(intent.to, intent.at)

    def open(self, intent: Intent) -> None:
        """Put an intent on disk before the call is made."""
        self._put(intent)

    def close(
        self, intent: Intent, status: Literal["applied", "failed"], *, on_disk: bool = True
    ) -> None:
        """Note what became of it; only in memory, when the next start is to find it open."""
        closed = replace(intent, status=status)
        if on_disk:
            self._put(closed)
            return
        with self._lock:
            self._intents[intent.pool_id] = closed
            self._behind.add(intent.pool_id)

    def behind(self) -> frozenset[str]:
        """Return the pools whose intent is closed in memory and open on disk."""
        with self._lock:
            return frozenset(self._behind)

    def catch_up(self, pool_ids: Iterable[str]) -> None:
        """Put the newest intents of some pools on disk as they are in memory."""
        for pool_id in pool_ids:
            intent = self.newest(pool_id)
            if intent is not None:
                self._put(intent)
            with self._lock:
                self._behind.discard(pool_id)

    def _put(self, intent: Intent) -> None:
        with self._lock:
            self._intents[intent.pool_id] = intent
        name = hashlib.sha256(intent.pool_id.encode()).hexdigest()[:24]
        path = self._directory / f"{name}.json"
        try:
            content = {**asdict(intent), "at": intent.at.isoformat()}
            write_sealed(path, content, keep_previous=False)
        except OSError as error:
            self._on_problem(f"cannot write {path}, going on without a journal: {error}")
