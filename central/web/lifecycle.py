"""What happened to nodes, newest first."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from central.deps import Parts, Reader
from central.store import fleet, history
from central.web.rendering import page

router = APIRouter(tags=["pages"], include_in_schema=False)
PAGE_SIZE = 100
EXPORTED = 10_000


@router.get("/lifecycle")
def lifecycle_page(
    request: Request,
    deps: Parts,
    _actor: Reader,
    node: Annotated[str, Query(max_length=255)] = "",
    event: Annotated[str, Query(max_length=50)] = "",
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """The page; `before` continues after the last row's id."""
    wanted = {"node": node.strip() or None, "event": event.strip() or None}
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        events = history.recent_events(connection)
        rows = history.lifecycle_page(connection, **wanted, before=before, limit=PAGE_SIZE + 1)
    query = {name: value for name, value in wanted.items() if value}
    older = {**query, "before": rows[PAGE_SIZE - 1]["id"]} if len(rows) > PAGE_SIZE else None
    export = {**query, "format": "csv", "limit": EXPORTED}
    return page(
        request,
        "lifecycle.html",
        now=now,
        rows=rows[:PAGE_SIZE],
        events=events,
        wanted=wanted,
        csv_url=f"/v1/lifecycle?{urlencode(export)}",
        first_url=f"/lifecycle?{urlencode(query)}" if before else None,
        next_url=f"/lifecycle?{urlencode(older)}" if older else None,
    )
