"""History on its way to central: a bounded queue that survives crashes, outages and bad disks.

Records carry (stream id, sequence); central acknowledges a cursor, so an outage loses nothing and
a repeated batch doubles nothing. When the queue is full, metrics go first, then rows written
every minute, oldest first; what the agent did and what happened to it is never dropped.
"""

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import SettingsError
from agent.files import set_aside
from agent.records import Entry, RecordFile, Worth, is_broken

MAX_BYTES = 64 * 1024 * 1024
_UNSAVED = 2_000
_BYTES_AROUND_A_RECORD = 24


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest records that fit into one heartbeat."""

    stream_id: str
    records: tuple[dict[str, Any], ...]


class Outbox:
    """See the module. All methods may be called from any thread."""

    def __init__(
        self,
        path: Path,
        *,
        new_id: Callable[[], str],
        stamp: str,
        on_problem: Callable[[str], object],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._path = path
        self._new_id = new_id
        self._stamp = stamp
        self._on_problem = on_problem
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._unsaved: deque[Entry] = deque(maxlen=_UNSAVED)
        self._failing = False
        self._failing_reads = False
        self.dropped = 0
        self.corrupt = 0
        try:
            self._file = RecordFile(path, new_id)
        except sqlite3.DatabaseError as error:
            if not is_broken(error) and not path.is_dir():
                raise _unusable(path, error) from error
            self._start_anew(error)

    @property
    def stream_id(self) -> str:
        """Names this queue; a new file is a new stream."""
        return self._file.stream_id

    def put(self, entries: Iterable[Entry]) -> bool:
        """Append records in one transaction; when the disk refuses, hold some in memory.

        Returns:
            Whether they, and all that were held, are on disk.
        """
        with self._lock:
            waiting = [*self._unsaved, *entries]
            if not waiting:
                return True
            try:
                self.dropped += self._file.add(waiting, self._max_bytes)
            except sqlite3.Error as error:
                self._hold(waiting, error)
                return False
            self._unsaved.clear()
            self._failing = False
            return True

    def batch(self, max_records: int, max_bytes: int) -> Batch:
        """Return the oldest records, ascending, within both limits. A damaged one is skipped."""
        records: list[dict[str, Any]] = []
        size = 0
        with self._lock:
            try:
                rows = self._file.oldest(max_records)
                self._failing_reads = False
            except sqlite3.DatabaseError as error:
                self._unreadable(error)
                rows = []
            for sequence, body in rows:
                if body is None:
                    self._drop_damaged(sequence)
                    continue
                size += len(body) + _BYTES_AROUND_A_RECORD
                if records and size > max_bytes:
                    break
                records.append({**json.loads(body), "sequence": sequence})
            return Batch(self._file.stream_id, tuple(records))

    def acknowledge(self, stream_id: str, sequence: int) -> None:
        """Forget everything up to `sequence`, if central speaks of this stream."""
        with self._lock:
            if stream_id != self._file.stream_id:
                return
            try:
                self._file.forget_until(sequence)
            except sqlite3.Error as error:
                self._on_problem(f"cannot forget acknowledged records in {self._path}: {error}")

    def begin_stream(self) -> None:
        """Go on under another name: a copy of this file on another machine counts on as well.

        Central would take records of the same name and number for repeats.
        """
        with self._lock:
            try:
                self._file.rename(self._new_id())
            except sqlite3.Error as error:
                self._on_problem(f"cannot begin another stream in {self._path}: {error}")

    def pending(self) -> int:
        """Return how many records wait."""
        with self._lock:
            try:
                count = self._file.count()
            except sqlite3.DatabaseError as error:
                self._unreadable(error)
                count = 0
            return count + len(self._unsaved)

    def close(self) -> None:
        """Close the file; what is in it stays."""
        with self._lock:
            self._file.close()

    def _unreadable(self, error: sqlite3.DatabaseError) -> None:
        """Give up a file that is broken; one that only cannot be read now is kept for later."""
        if is_broken(error):
            self._file.close()
            try:
                self._start_anew(error)
            except SettingsError as second:
                self._on_problem(str(second))
        elif not self._failing_reads:
            self._failing_reads = True
            self._on_problem(f"cannot read {self._path}, its records wait: {error}")

    def _start_anew(self, error: Exception) -> None:
        self._on_problem(f"{self._path} is unusable and was set aside: {error}")
        self.corrupt += 1
        for suffix in ("", "-wal", "-shm"):
            file = self._path.with_name(self._path.name + suffix)
            if file.exists():
                set_aside(file, self._stamp)
        try:
            self._file = RecordFile(self._path, self._new_id)
        except sqlite3.DatabaseError as second:
            raise _unusable(self._path, second) from second

    def _hold(self, waiting: list[Entry], error: sqlite3.Error) -> None:
        if not self._failing:
            self._on_problem(f"cannot write {self._path}, holding records in memory: {error}")
        self._failing = True
        room = max(0, _UNSAVED - sum(entry.worth == Worth.FACT for entry in waiting))
        lesser = [entry for entry in waiting if entry.worth < Worth.FACT]
        kept = set(map(id, lesser[len(lesser) - room :] if room else []))
        held = [entry for entry in waiting if entry.worth == Worth.FACT or id(entry) in kept]
        self.dropped += len(waiting) - len(held)
        self._unsaved = deque(held, maxlen=max(_UNSAVED, len(held)))

    def _drop_damaged(self, sequence: int) -> None:
        self.corrupt += 1
        self._on_problem(f"{self._path}: record {sequence} is damaged and was skipped")
        try:
            self._file.remove(sequence)
        except sqlite3.Error as error:
            self._on_problem(f"cannot remove a damaged record from {self._path}: {error}")


def _unusable(path: Path, error: sqlite3.DatabaseError) -> SettingsError:
    return SettingsError(
        f"cannot open {path}: {error}; let the agent's user write in POOLKEEPER_STATE_DIR, with"
        " room on its disk and no other process on the file"
    )
