"""The audit rows: asked for, exported, checked, and for how long they are kept."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from central.deps import Deps, Operator, Parts, audited, aware
from central.store import audit, audit_trail
from central.store.audit import Event
from central.store.audit_trail import Filter
from shared.wire_people import AuditBreak, AuditRow, AuditVerdict, Category, Retention

router = APIRouter(prefix="/v1/audit", tags=["audit"])
Name = Annotated[str | None, Query(max_length=255)]
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _filter(
    start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    user: Name = None,
    category: Category | None = None,
    action: Annotated[str | None, Query(max_length=100)] = None,
    resource: Name = None,
    status: Literal["SUCCESS", "FAILURE"] | None = None,
) -> Filter:
    """Which rows are wanted: by time, user (e-mail), category, action, resource (name or id)."""
    return Filter(_naive(start), _naive(end), user, category, action, resource, status)


Wanted = Annotated[Filter, Depends(_filter)]


@router.get("")
def list_audit(
    deps: Parts,
    _actor: Operator,
    wanted: Wanted,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[AuditRow]:
    """Rows, newest first; `before` continues after the last row's id."""
    with deps.engine.connect() as connection:
        rows = audit_trail.page(connection, wanted, before=before, limit=limit)
    return [AuditRow.model_validate(_read(row)) for row in rows]


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/x-ndjson": {}}}},
)
def export_audit(
    deps: Parts,
    actor: Operator,
    wanted: Wanted,
    form: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
) -> StreamingResponse:
    """Every row as CSV, or as JSON with a row per line; that somebody exported is audited."""
    narrowed = {name: str(value) for name, value in asdict(wanted).items() if value is not None}
    event = Event("AUDIT_EXPORTED", "SYSTEM", "audit", details={"format": form, **narrowed})
    with deps.engine.begin() as connection:
        # what the database refuses, such as a NUL, must be refused before the answer begins
        audit_trail.page(connection, wanted, before=None, limit=1)
        audit.append(connection, actor, event)
    lines = _csv(deps, wanted) if form == "csv" else _json(deps, wanted)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    headers = {"Content-Disposition": f'attachment; filename="audit.{form}"'}
    return StreamingResponse(lines, media_type=kind, headers=headers)


@router.get("/verify")
def verify_audit(deps: Parts, _actor: Operator) -> AuditVerdict:
    """Check every row against the hash chain; names each row that is not as it was written."""
    with deps.engine.connect() as connection:
        verdict = audit_trail.verify(connection)
    return AuditVerdict(
        ok=not verdict.breaks,
        rows=verdict.rows,
        days=verdict.days,
        last_seal=verdict.last_seal,
        breaks=[AuditBreak(day=b.day, row=b.row, problem=b.problem) for b in verdict.breaks[:1000]],
    )


@router.get("/retention")
def show_retention(deps: Parts, _actor: Operator) -> Retention:
    """For how many days rows are kept; null for good."""
    with deps.engine.connect() as connection:
        return Retention(days=audit_trail.retention_days(connection))


@router.put("/retention")
def change_retention(body: Retention, deps: Parts, actor: Operator) -> Retention:
    """Keep rows for so many days; whole sealed days are removed, and their seals stay."""
    with deps.engine.connect() as connection:
        before = audit_trail.retention_days(connection)
    details = {"before": {"days": before}, "after": {"days": body.days}}
    event = Event("AUDIT_RETENTION_CHANGED", "SYSTEM", "audit", details=details)
    with audited(deps, actor, event) as connection:
        audit_trail.set_retention(connection, body.days)
    return body


def _json(deps: Deps, wanted: Filter) -> Iterator[str]:
    with deps.engine.connect() as connection:
        for row in audit_trail.every(connection, wanted):
            yield AuditRow.model_validate(_read(row)).model_dump_json() + "\n"


def _csv(deps: Deps, wanted: Filter) -> Iterator[str]:
    names = list(AuditRow.model_fields)
    yield _line(names)
    with deps.engine.connect() as connection:
        for row in audit_trail.every(connection, wanted):
            values = (aware(row)[name] for name in names)
            yield _line([_cell(value) for value in values])


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: object) -> str:
    """A value that no spreadsheet takes for a formula: user agents are written by strangers."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return "'" + text if text.startswith(FORMULA) else text


def _read(row: dict[str, Any]) -> dict[str, Any]:
    details = row["details"]
    return {**aware(row), "details": None if details is None else json.loads(details)}


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
