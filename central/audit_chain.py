"""The hash chain over the audit rows of a day: pure, and the same as the database's own.

Each row's hash covers the hash before it and everything in the row but `user_id`, which is
forgotten when an account is deleted; `actor_id` keeps it. A day's first row continues from the
seal of the last day before it, and a day's seal covers the seal before, so that whole days cannot
vanish either. The database computes the chain at COMMIT (migration 0010); this module checks it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

GENESIS = "0" * 64
FIELDS = (
    "id",
    "actor_id",
    "user_email",
    "user_role",
    "action",
    "category",
    "resource_type",
    "resource_id",
    "resource_name",
    "description",
    "details",
    "ip_address",
    "user_agent",
    "status",
    "error_message",
    "timestamp",
    "request_id",
)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A row's place in its day's chain; `row` is None when the row itself is gone."""

    audit_id: int
    position: int
    hash: str
    row: Row | None


@dataclass(frozen=True, slots=True)
class Seal:
    """What closed a day. `removed` says that retention has dropped the day's rows."""

    day: date
    rows: int
    last_hash: str
    seal: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """Where the trail is not what was written; `row` is the id in audit_logs, if it is a row."""

    day: date | None
    row: int | None
    problem: str


def field(value: object) -> str:
    """A value as a netstring: lengths keep neighbours apart, and nothing differs from ''."""
    if value is None:
        return "-,"
    text = value.isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)
    return f"{len(text.encode())}:{text},"


def link_hash(previous: str, row: Row) -> str:
    """The hash of a row that follows another."""
    return _sha256(previous + "".join(field(row[name]) for name in FIELDS))


def seal_hash(previous: str, day: date, rows: int, last_hash: str) -> str:
    """The seal of a day that follows another day's seal."""
    return _sha256(previous + field(day) + field(rows) + field(last_hash))


def verify_day(
    day: date, links: Iterable[Link], seal: Seal | None, previous: str
) -> Iterator[Break]:
    """Every place where a day is not as it was written. `previous`: the seal before the day.

    After a changed or deleted row the check goes on from the hash that was stored, so one
    tampered row is one finding and not a day of them.
    """
    count, stored = 0, previous
    for link in links:
        count += 1
        if link.position != count:
            yield Break(day, link.audit_id, "rows before it were taken out of the chain")
            count = link.position
        elif link.row is None:
            yield Break(day, link.audit_id, "the row was deleted")
        elif link_hash(stored, link.row) != link.hash:
            yield Break(day, link.audit_id, "the row, or its hash, was changed")
        stored = link.hash
    if seal is not None and (seal.rows, seal.last_hash) != (count, stored):
        yield Break(day, None, f"the day was sealed with {seal.rows} rows, and ends otherwise now")


def verify_seals(seals: Iterable[Seal]) -> Iterator[Break]:
    """Every seal that does not follow from the one before it; oldest first."""
    previous = GENESIS
    for seal in seals:
        if seal_hash(previous, seal.day, seal.rows, seal.last_hash) != seal.seal:
            yield Break(seal.day, None, "the seal, or a day before it, was changed or taken out")
        previous = seal.seal


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
