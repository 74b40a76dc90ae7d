"""History on its way to central: a bounded queue in SQLite that survives crashes and outages.

Records carry (stream id, sequence); central acknowledges a cursor, so an outage loses nothing and
a repeated batch doubles nothing. When the queue is full, metrics go first, then rows written
every minute, oldest first; what the agent did and what happened to it is never dropped.
"""

import json
import sqlite3
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

from agent.errors import SettingsError
from agent.files import set_aside

MAX_BYTES = 64 * 1024 * 1024
MAX_AGE = timedelta(days=7)
_UNSAVED = 2_000
_PRIMARY_CODE = 0xFF  # the rest of SQLite's code is detail

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stream (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  worth INTEGER NOT NULL,
  at REAL NOT NULL,
  size INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS records_by_worth ON records (worth, sequence);
CREATE TABLE IF NOT EXISTS facts (reference TEXT PRIMARY KEY, at REAL NOT NULL);
"""


class Worth(IntEnum):
    """What is dropped first when the queue is full."""

    METRIC = 0
    ROUTINE = 1
    FACT = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to be sent. `reference` makes a fact unique, however often it is put."""

    body: Mapping[str, Any]
    worth: Worth
    at: datetime
    reference: str | None = None


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
        self._bytes = 0
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not _is_broken(error) and not path.is_dir():
                raise _unusable(path, error) from error
            self._start_anew(error)

    @property
    def stream_id(self) -> str:
        """Names this queue; a new file is a new stream."""
        return self._stream_id

    def put(self, entries: Iterable[Entry]) -> bool:
        """Append records in one transaction; when the disk refuses, hold some in memory.

        Returns:
            Whether they, and all that were held, are on disk.
        """
        with self._lock:
            waiting = [*self._unsaved, *entries]
            if not waiting:
                return True
            before = self._bytes, self.dropped
            try:
                with self._db:
                    for entry in waiting:
                        self._insert(entry)
                    self._make_room(max(entry.at for entry in waiting))
                self._unsaved.clear()
                self._failing = False
            except sqlite3.Error as error:
                self._bytes, self.dropped = before
                self._hold(waiting, error)
                return False
            return True

    def batch(self, max_records: int, max_bytes: int) -> Batch:
        """Return the oldest records, ascending, within both limits. A damaged one is skipped."""
        records: list[dict[str, Any]] = []
        size = 0
        with self._lock:
            try:
                rows = self._db.execute(
                    "SELECT sequence, checksum, body FROM records ORDER BY sequence LIMIT ?",
                    (max_records,),
                ).fetchall()
                self._failing_reads = False
            except sqlite3.DatabaseError as error:
                self._unreadable(error)
                rows = []
            for sequence, checksum, body in rows:
                if not isinstance(body, str) or zlib.crc32(body.encode()) != checksum:
                    self._drop_damaged(sequence)
                    continue
                size += len(body) + 24
                if records and size > max_bytes:
                    break
                records.append({**json.loads(body), "sequence": sequence})
            return Batch(self._stream_id, tuple(records))

    def acknowledge(self, stream_id: str, sequence: int) -> None:
        """Forget everything up to `sequence`, if central speaks of this stream."""
        if stream_id != self._stream_id:
            return
        with self._lock:
            try:
                with self._db:
                    self._db.execute("DELETE FROM records WHERE sequence <= ?", (sequence,))
                self._measure()
            except sqlite3.Error as error:
                self._on_problem(f"cannot forget acknowledged records in {self._path}: {error}")

    def pending(self) -> int:
        """Return how many records wait."""
        with self._lock:
            try:
                (count,) = self._db.execute("SELECT count(*) FROM records").fetchone()
            except sqlite3.DatabaseError as error:
                self._unreadable(error)
                count = 0
            return int(count) + len(self._unsaved)

    def close(self) -> None:
        """Close the file; what is in it stays."""
        with self._lock:
            self._db.close()

    def _open(self) -> None:
        db = sqlite3.connect(self._path, check_same_thread=False, timeout=5)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_SCHEMA)
            with db:
                row = db.execute("SELECT id FROM stream").fetchone()
                if row is None:
                    row = (self._new_id(),)
                    db.execute("INSERT INTO stream VALUES (?)", row)
            self._db, self._stream_id = db, str(row[0])
            self._measure()
        except BaseException:
            db.close()  # before its files are set aside: closing deletes them by name
            raise

    def _measure(self) -> None:
        (size,) = self._db.execute("SELECT coalesce(sum(size), 0) FROM records").fetchone()
        self._bytes = int(size)

    def _unreadable(self, error: sqlite3.DatabaseError) -> None:
        """Give up a file that is broken; one that only cannot be read now is kept for later."""
        if _is_broken(error):
            self._db.close()
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
            self._open()
        except sqlite3.DatabaseError as second:
            raise _unusable(self._path, second) from second

    def _insert(self, entry: Entry) -> None:
        if entry.reference is not None:
            known = self._db.execute(
                "INSERT OR IGNORE INTO facts VALUES (?, ?)",
                (entry.reference, entry.at.timestamp()),
            )
            if known.rowcount == 0:
                return
        body = json.dumps(entry.body, separators=(",", ":"), allow_nan=False)
        self._bytes += len(body)
        self._db.execute(
            "INSERT INTO records (worth, at, size, checksum, body) VALUES (?, ?, ?, ?, ?)",
            (int(entry.worth), entry.at.timestamp(), len(body), zlib.crc32(body.encode()), body),
        )

    def _make_room(self, now: datetime) -> None:
        oldest = (now - MAX_AGE).timestamp()
        gone = self._db.execute(
            "DELETE FROM records WHERE at < ? AND worth < ?", (oldest, int(Worth.FACT))
        ).rowcount
        self._db.execute("DELETE FROM facts WHERE at < ?", (oldest,))
        if gone:
            self._measure()
        for worth in (Worth.METRIC, Worth.ROUTINE):
            while self._bytes > self._max_bytes:
                rows = self._db.execute(
                    "SELECT sequence, size FROM records WHERE worth=? ORDER BY sequence LIMIT 200",
                    (int(worth),),
                ).fetchall()
                if not rows:
                    break
                self._db.execute(
                    "DELETE FROM records WHERE worth = ? AND sequence <= ?",
                    (int(worth), rows[-1][0]),
                )
                self._bytes -= sum(row[1] for row in rows)
                gone += len(rows)
        self.dropped += gone

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
        with self._db:
            self._db.execute("DELETE FROM records WHERE sequence = ?", (sequence,))


def _unusable(path: Path, error: sqlite3.DatabaseError) -> SettingsError:
    return SettingsError(
        f"cannot open {path}: {error}; let the agent's user write in POOLKEEPER_STATE_DIR, with"
        " room on its disk and no other process on the file"
    )


def _is_broken(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is no database any more, rather than locked or on a disk that fails."""
    code = getattr(error, "sqlite_errorcode", None)  # the module's own errors carry none
    if code is not None:
        return code & _PRIMARY_CODE in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return "malformed" in str(error) or "not a database" in str(error)
