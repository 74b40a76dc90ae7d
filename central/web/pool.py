"""The page of one pool: its size and why, over time and in the next two weeks."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from central.deps import Parts, Reader
from central.notify.model import KINDS
from central.store import fleet, pool_page, system_page
from central.store.charts import Range
from central.web import coming, decided
from central.web.plotting import SPANS, USUAL, Plot, Span, pool_plot
from central.web.quick_actions import actions_of
from central.web.rendering import page
from shared.config.models import Config

router = APIRouter(tags=["pages"], include_in_schema=False)
RECENT_ROWS = 240
TABLE_ROWS = 40
MOST_CONDITIONS = 10
SOON = 10  # changes of the next two weeks that are shown at once
OLD = timedelta(minutes=5)  # a row comes every minute: then the numbers are not of now
Key = Annotated[str, Query(alias="range", max_length=10)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
YEAR_2100 = 4_102_444_800
MOST_EVENTS = 10_000  # in one file
SERIES = ("size", "running", "floor", "ceiling", "demand", "cpu", "memory")


@router.get("/nodes/{name}/pools/{pool:path}")
def pool_page_of(
    request: Request, name: str, pool: str, deps: Parts, _actor: Reader, key: Key = USUAL
) -> Response:
    """The page."""
    span = SPANS.get(key, SPANS[USUAL])
    with deps.engine.connect() as connection:
        found = pool_page.by_name(connection, name, pool)
        read = deps.known_configs.config_of
        config = read(connection, found["active_hash"])
        values = _live(connection, found, config)
        now = values["now"]
        plot = pool_plot(connection, found, read, Range(now - span.length, now, span.step))
    ahead = values["ahead"]
    return page(
        request,
        "pool.html",
        **values,
        **actions_of(found, config, now),
        spans=list(SPANS.values()),
        span=span,
        plot=plot.as_json(),
        plot_url=f"/pools/{found['id']}/plot?range={span.key}",
        table=_table(plot),
        marks=[
            (datetime.fromtimestamp(mark["at"], UTC), mark)
            for mark in plot.marks[: -TABLE_ROWS - 1 : -1]
        ],
        drawing=None if ahead is None else coming.drawing(ahead),
        csv_url=_api(found, "chart", span, now, plot.step),
        events_url=_api(found, "events", span, now, None),
        soon=SOON,
    )


@router.get("/pools/{number}/now")
def pool_now(request: Request, number: Number, deps: Parts, _actor: Reader) -> Response:
    """The numbers and decisions, which the page asks for every five seconds."""
    with deps.engine.connect() as connection:
        found = pool_page.by_number(connection, number)
        values = _live(
            connection, found, deps.known_configs.config_of(connection, found["active_hash"])
        )
    return page(request, "_pool_now.html", **values, is_update=True)


@router.get("/pools/{number}/plot")
def plot_of(
    number: Number,
    deps: Parts,
    _actor: Reader,
    key: Key = USUAL,
    since: Annotated[int, Query(ge=0, le=YEAR_2100)] = 0,
) -> JSONResponse:
    """The plot's columns, or only those from `since` (seconds since 1970) on."""
    span = SPANS.get(key, SPANS[USUAL])
    with deps.engine.connect() as connection:
        found = pool_page.by_number(connection, number)
        read = deps.known_configs.config_of
        now = fleet.database_now(connection)
        known = datetime.fromtimestamp(since, UTC).replace(tzinfo=None)
        start = min(max(now - span.length, known), now)
        plot = pool_plot(connection, found, read, Range(start, now, span.step))
    return JSONResponse(plot.as_json(), headers={"Cache-Control": "no-store"})


def _live(connection: Connection, pool: dict[str, Any], config: Config | None) -> dict[str, Any]:
    now, name = fleet.database_now(connection), pool["name"]
    rows = pool_page.newest(connection, pool, RECENT_ROWS)
    newest = rows[0] if rows else None
    ahead = None if pool["retired_at"] else coming.preview(config, name, now)
    edges = []
    if newest is not None and pool["running_hash"] == pool["active_hash"]:
        sizes = newest["current_instances"], newest["active_instances"]
        edges = decided.edges(config, name, *sizes, now)
    return {
        "now": now,
        "pool": pool,
        "newest": newest,
        "conditions": system_page.conditions(connection, limit=MOST_CONDITIONS, pool=pool["id"]),
        "kinds": KINDS,
        "is_old": newest is None or now - newest["timestamp"] > OLD,
        "runs": decided.runs(rows),
        "edges": edges,
        "config": config,
        "ahead": ahead,
        "next_change": None if ahead is None or len(ahead.changes) < 2 else ahead.changes[1],
        "causes": coming.causes,
    }


def _table(plot: Plot) -> list[tuple[datetime, list[float | None]]]:
    """The newest steps that hold something, newest first, for those who cannot see a plot."""
    rows = [
        (datetime.fromtimestamp(at or 0, UTC), [plot.columns[name][index] for name in SERIES])
        for index, at in enumerate(plot.columns["at"])
        if plot.columns["size"][index] is not None
    ]
    return rows[::-1][:TABLE_ROWS]


def _api(pool: dict[str, Any], what: str, span: Span, now: datetime, step: int | None) -> str:
    """Where the API gives the same history as CSV."""
    start, end = ((now - back).isoformat() + "Z" for back in (span.length, timedelta(0)))
    query = {"from": start, "to": end, "format": "csv"}
    query |= {"limit": str(MOST_EVENTS)} if step is None else {"step": str(step)}
    return f"/v1/pools/{quote(pool['oracle_pool_id'], safe='')}/{what}?{urlencode(query)}"
