"""Reading the audit rows: pages, exports, the check of the chain, and what retention removes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from central import audit_chain
from central.audit_chain import Break, Link, Seal
from central.tables import audit_logs
from central.tables_people import audit_links, audit_policy, audit_seals

BATCH = 2000
SHOWN = tuple(column for column in audit_logs.c if column.name != "user_id")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; what is None does not narrow. Instants are naive UTC."""

    start: datetime | None = None
    end: datetime | None = None
    user: str | None = None
    category: str | None = None
    action: str | None = None
    resource: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the whole trail found."""

    rows: int
    days: int
    last_seal: str | None
    breaks: list[Break]


def page(
    connection: Connection, wanted: Filter, *, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Rows, newest first; `before` continues after the last row's id."""
    conditions = _conditions(wanted)
    if before is not None:
        conditions.append(audit_logs.c.id < before)
    statement = select(*SHOWN).where(*conditions).order_by(audit_logs.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(statement).mappings()]


def every(connection: Connection, wanted: Filter) -> Iterator[dict[str, Any]]:
    """All rows, newest first, a batch at a time."""
    before: int | None = None
    while rows := page(connection, wanted, before=before, limit=BATCH):
        yield from rows
        before = rows[-1]["id"]


def verify(connection: Connection) -> Verdict:
    """Check every row against the chain, in one snapshot of the database.

    `connection` must not have begun a transaction yet.
    """
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    seals = _seals(connection)
    breaks = list(audit_chain.verify_seals(seals))
    known = {seal.day: seal for seal in seals}
    days = list(connection.scalars(select(audit_links.c.day).distinct().order_by("day")))
    rows = 0
    for day in sorted({*days, *(seal.day for seal in seals if not seal.removed)}):
        before = max((seal for seal in seals if seal.day < day), key=_day, default=None)
        previous = audit_chain.GENESIS if before is None else before.seal
        links = list(_links(connection, day))
        rows += len(links)
        breaks += audit_chain.verify_day(day, links, known.get(day), previous)
    breaks += (
        Break(None, row, "the row was put in beside the chain") for row in _strays(connection)
    )
    return Verdict(rows, len(days), seals[-1].seal if seals else None, breaks)


def seal_finished_days(connection: Connection) -> list[Seal]:
    """Seal every day that is over; returns the new seals, oldest first."""
    rows = connection.execute(
        text("SELECT * FROM seal_audit_days((now() AT TIME ZONE 'UTC')::date)")
    ).mappings()
    return [Seal(row["day"], row["rows"], row["last_hash"], row["seal"]) for row in rows]


def retention_days(connection: Connection) -> int | None:
    """For how many days rows are kept; None for good."""
    found: int | None = connection.execute(select(audit_policy.c.retention_days)).scalar_one()
    return found


def set_retention(connection: Connection, days: int | None) -> None:
    """Keep rows for so many days (at least 90) from now on; None keeps them for good."""
    connection.execute(update(audit_policy).values(retention_days=days))


def remove_old_days(connection: Connection) -> int:
    """Remove the sealed days that are older than the retention; returns how many rows went."""
    days = retention_days(connection)
    if days is None:
        return 0
    removed: int = connection.execute(
        text("SELECT remove_audit_days((now() AT TIME ZONE 'UTC')::date - CAST(:days AS integer))"),
        {"days": days},
    ).scalar_one()
    return removed


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    log = audit_logs.c
    found: list[ColumnElement[bool] | None] = [
        None if wanted.start is None else log.timestamp >= wanted.start,
        None if wanted.end is None else log.timestamp < wanted.end,
        None if wanted.user is None else func.lower(log.user_email) == wanted.user.lower(),
        None if wanted.category is None else log.category == wanted.category,
        None if wanted.action is None else log.action == wanted.action,
        None if wanted.status is None else log.status == wanted.status,
        None
        if wanted.resource is None
        else or_(log.resource_name == wanted.resource, log.resource_id == wanted.resource),
    ]
    return [condition for condition in found if condition is not None]


def _seals(connection: Connection) -> list[Seal]:
    statement = select(audit_seals).order_by(audit_seals.c.day)
    return [
        Seal(row.day, row.rows, row.last_hash, row.seal, row.removed_at is not None)
        for row in connection.execute(statement)
    ]


def _links(connection: Connection, day: date) -> Iterator[Link]:
    columns = (audit_logs.c[name].label(f"row_{name}") for name in audit_chain.FIELDS)
    statement = (
        select(audit_links.c.audit_id, audit_links.c.position, audit_links.c.hash, *columns)
        .outerjoin(audit_logs, audit_logs.c.id == audit_links.c.audit_id)
        .where(audit_links.c.day == day)
        .order_by(audit_links.c.position)
    )
    for found in connection.execute(statement).mappings():
        row = {name: found[f"row_{name}"] for name in audit_chain.FIELDS}
        present = row if found["row_id"] is not None else None
        yield Link(found["audit_id"], found["position"], found["hash"], present)


def _strays(connection: Connection) -> list[int]:
    statement = (
        select(audit_logs.c.id)
        .outerjoin(audit_links, audit_links.c.audit_id == audit_logs.c.id)
        .where(audit_links.c.audit_id.is_(None))
        .order_by(audit_logs.c.id)
    )
    return list(connection.scalars(statement))


def _day(seal: Seal) -> date:
    return seal.day
