"""The file behind the outbox: numbered records in SQLite, each with a worth and a checksum."""

import json
import sqlite3
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Any

MAX_AGE = timedelta(days=7)
_PRIMARY_CODE = 0xFF  # the rest of SQLite's code is detail
_AT_A_TIME = 200

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


class RecordFile:
    """An open file of records, for one thread at a time. Every method may raise sqlite3.Error.

    Attributes:
        db: the connection.
        stream_id: names this file; a new file is a new stream.
    """

    def __init__(self, path: Path, new_id: Callable[[], str]) -> None:
        self._bytes = 0
        db = sqlite3.connect(path, check_same_thread=False, timeout=5)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_SCHEMA)
            with db:
                row = db.execute("SELECT id FROM stream").fetchone()
                if row is None:
                    row = (new_id(),)
                    db.execute("INSERT INTO stream VALUES (?)", row)
            self.db, self.stream_id = db, str(row[0])
            self._measure()
        except BaseException:
            db.close()  # before its files are set aside: closing deletes them by name
            raise

    def add(self, entries: Collection[Entry], max_bytes: int) -> int:
        """Append records and make room for them, in one transaction.

        Returns:
            How many records were dropped for it.
        """
        before = self._bytes
        try:
            with self.db:
                for entry in entries:
                    self._insert(entry)
                return self._make_room(max(entry.at for entry in entries), max_bytes)
        except sqlite3.Error:
            self._bytes = before
            raise

    def oldest(self, limit: int) -> list[tuple[int, str | None]]:
        """Return the oldest records, ascending: number and body; no body, it is damaged."""
        rows = self.db.execute(
            "SELECT sequence, checksum, body FROM records ORDER BY sequence LIMIT ?", (limit,)
        ).fetchall()
        return [
            (sequence, body if isinstance(body, str) and _checksum(body) == checksum else None)
            for sequence, checksum, body in rows
        ]

    def forget_until(self, sequence: int) -> None:
        """Remove every record up to and with a number."""
        with self.db:
            self.db.execute("DELETE FROM records WHERE sequence <= ?", (sequence,))
        self._measure()

    def rename(self, stream_id: str) -> None:
        """Go on as another stream; sequences go on, too."""
        with self.db:
            self.db.execute("UPDATE stream SET id = ?", (stream_id,))
        self.stream_id = stream_id

    def remove(self, sequence: int) -> None:
        """Remove one record."""
        with self.db:
            self.db.execute("DELETE FROM records WHERE sequence = ?", (sequence,))

    def count(self) -> int:
        """Return how many records there are."""
        (count,) = self.db.execute("SELECT count(*) FROM records").fetchone()
        return int(count)

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self.db.close()

    def _measure(self) -> None:
        (size,) = self.db.execute("SELECT coalesce(sum(size), 0) FROM records").fetchone()
        self._bytes = int(size)

    def _insert(self, entry: Entry) -> None:
        if entry.reference is not None:
            known = self.db.execute(
                "INSERT OR IGNORE INTO facts VALUES (?, ?)",
                (entry.reference, entry.at.timestamp()),
            )
            if known.rowcount == 0:
                return
        body = json.dumps(entry.body, separators=(",", ":"), allow_nan=False)
        self._bytes += len(body)
        self.db.execute(
            "INSERT INTO records (worth, at, size, checksum, body) VALUES (?, ?, ?, ?, ?)",
            (int(entry.worth), entry.at.timestamp(), len(body), _checksum(body), body),
        )

    def _make_room(self, now: datetime, max_bytes: int) -> int:
        """Drop what is too old, then what is worth least, oldest first; a fact never."""
        oldest = (now - MAX_AGE).timestamp()
        gone = self.db.execute(
            "DELETE FROM records WHERE at < ? AND worth < ?", (oldest, int(Worth.FACT))
        ).rowcount
        self.db.execute("DELETE FROM facts WHERE at < ?", (oldest,))
        if gone:
            self._measure()
        for worth in (Worth.METRIC, Worth.ROUTINE):
            while self._bytes > max_bytes:
                rows = self.db.execute(
                    "SELECT sequence, size FROM records WHERE worth = ? ORDER BY sequence LIMIT ?",
                    (int(worth), _AT_A_TIME),
                ).fetchall()
                if not rows:
                    break
                self.db.execute(
                    "DELETE FROM records WHERE worth = ? AND sequence <= ?",
                    (int(worth), rows[-1][0]),
                )
                self._bytes -= sum(row[1] for row in rows)
                gone += len(rows)
        return gone


def is_broken(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is no database any more, rather than locked or on a disk that fails."""
    code = getattr(error, "sqlite_errorcode", None)  # the module's own errors carry none
    if code is not None:
        return code & _PRIMARY_CODE in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return "malformed" in str(error) or "not a database" in str(error)


def _checksum(body: str) -> int:
    return zlib.crc32(body.encode())
