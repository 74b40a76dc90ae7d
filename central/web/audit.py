"""Who did what: the audit rows, filtered, and whether they are as they were written."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from central.deps import Operator, Parts
from central.errors import ApiError
from central.routes.audit import verify_audit
from central.store import audit_trail, fleet
from central.store.audit_trail import Filter
from central.web.rendering import page

router = APIRouter(prefix="/audit", tags=["pages"], include_in_schema=False)
PAGE_SIZE = 100
CATEGORIES = ("AUTH", "NODE", "POOL", "USER", "CONFIG", "SYSTEM")
Text = Annotated[str, Query(max_length=255)]


def _wanted(
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
    end: Annotated[str, Query(alias="to", max_length=40)] = "",
    user: Text = "",
    category: Text = "",
    action: Text = "",
    resource: Text = "",
    status: Text = "",
) -> Filter:
    """The filters of the page's form; an empty field asks for all."""
    texts = (text.strip() or None for text in (user, category, action, resource, status))
    return Filter(_instant(start, "From"), _instant(end, "To"), *texts)


Wanted = Annotated[Filter, Depends(_wanted)]


@router.get("")
def audit_page(
    request: Request,
    deps: Parts,
    _actor: Operator,
    wanted: Wanted,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """The page; `before` continues after the last row's id."""
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        rows = audit_trail.page(connection, wanted, before=before, limit=PAGE_SIZE + 1)
    query = _query(wanted)
    older = {**query, "before": rows[PAGE_SIZE - 1]["id"]} if len(rows) > PAGE_SIZE else None
    return page(
        request,
        "audit.html",
        now=now,
        rows=[_read(row) for row in rows[:PAGE_SIZE]],
        wanted=wanted,
        categories=CATEGORIES,
        exports={
            form: f"/v1/audit/export?{urlencode({**query, 'format': form})}"
            for form in ("csv", "json")
        },
        first_url=f"/audit?{urlencode(query)}" if before else None,
        next_url=f"/audit?{urlencode(older)}" if older else None,
    )


@router.get("/verify")
def verify_page(request: Request, deps: Parts, actor: Operator) -> Response:
    """Check every row against the hash chain, and tell."""
    return page(request, "audit_verify.html", verdict=verify_audit(deps, actor))


def _instant(text: str, label: str) -> datetime | None:
    """What a date-and-time field holds, taken as UTC; bare, as the database has it."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        why = f"{label}: write an instant such as 2026-03-29T01:00, in UTC."
        raise ApiError(422, "invalid", why) from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _query(wanted: Filter) -> dict[str, str]:
    """The filters as the API and this page take them."""
    names = {"start": "from", "end": "to"}
    return {
        names.get(name, name): f"{value.isoformat()}Z" if name in names else value
        for name, value in asdict(wanted).items()
        if value is not None
    }


def _read(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its details laid out to be read."""
    details = json.loads(row["details"]) if row["details"] else None
    laid_out = json.dumps(details, indent=2, ensure_ascii=False) if details else ""
    return {**row, "details": laid_out}
