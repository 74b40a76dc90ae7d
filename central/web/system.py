"""The system page: the fleet over time, for how long history is kept, which versions run."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, cast, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from central.deps import Editor, Parts, Reader
from central.errors import ApiError
from central.notify.model import KINDS as CONDITION_KINDS
from central.routes.charts import change_retention
from central.store import fleet, retention, system_page
from central.web.forms import PageForm
from central.web.notices import see
from central.web.plotting import SPANS, Span, grid_of
from central.web.rendering import page
from shared.wire_history import Kind

router = APIRouter(tags=["pages"], include_in_schema=False)
OFFERED = ("24h", "7d", "30d", "90d")
USUAL = "24h"
TABLE_ROWS = 40
MOST_CONDITIONS = 100
MOST_NOTIFICATIONS = 20
SERIES = ("instances", "running", "peak", "cpu", "cpu_peak", "memory")
KINDS: dict[str, str] = {
    "node_heartbeats": "heartbeats",
    "metrics": "metrics, every minute",
    "metrics_5m": "metrics, five minutes",
    "metrics_1h": "metrics, hours",
    "pool_analytics": "pools and decisions, every minute",
    "pool_analytics_5m": "pools, five minutes",
    "pool_analytics_1h": "pools, hours",
    "scaling_events": "scaling events",
    "node_lifecycle_logs": "lifecycle of nodes",
    "system_analytics": "the system, five minutes",
}
LEAST_DAYS, MOST_DAYS = 8, 36_500
Key = Annotated[str, Query(alias="range", max_length=10)]


@router.get("/system")
def system(request: Request, deps: Parts, _actor: Reader, key: Key = USUAL) -> Response:
    """The page."""
    span = _span(key)
    with deps.engine.connect() as connection:
        values = _live(connection)
        now = values["now"]
        plot = _plot(connection, span, now)
        kept = retention.kept(connection)
        postgres, size = system_page.server(connection)
        told = system_page.notifications(connection, limit=MOST_NOTIFICATIONS)
    rows = [
        (datetime.fromtimestamp(at, UTC), [plot["columns"][name][index] for name in SERIES])
        for index, at in enumerate(plot["columns"]["at"])
        if plot["columns"]["instances"][index] is not None
    ]
    return page(
        request,
        "system.html",
        **values,
        spans=[SPANS[offered] for offered in OFFERED],
        span=span,
        plot=plot,
        plot_url=f"/system/plot?range={span.key}",
        table=rows[::-1][:TABLE_ROWS],
        csv_url=_csv(span, now),
        kept=[(kind, label, kept[kind]) for kind, label in KINDS.items()],
        least_days=LEAST_DAYS,
        most_days=MOST_DAYS,
        versions=[
            ("Poolkeeper", _installed("poolkeeper")),
            ("Time zones (tzdata)", _installed("tzdata")),
            ("PostgreSQL", postgres),
        ],
        size=size,
        notifications=told,
    )


@router.get("/system/now")
def system_now(request: Request, deps: Parts, _actor: Reader) -> Response:
    """The totals, which the page asks for every five seconds."""
    with deps.engine.connect() as connection:
        return page(request, "_system_now.html", **_live(connection))


@router.get("/system/plot")
def plot_of(deps: Parts, _actor: Reader, key: Key = USUAL) -> JSONResponse:
    """The plot's columns."""
    with deps.engine.connect() as connection:
        plot = _plot(connection, _span(key), fleet.database_now(connection))
    return JSONResponse(plot, headers={"Cache-Control": "no-store"})


@router.post("/system/retention")
def keep(deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Keep a kind of history for so many days."""
    kind = form.get("kind")
    if kind not in get_args(Kind):
        raise ApiError(422, "invalid", "There is no such kind of history.")
    days = form.number("days", "Days")
    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise ApiError(422, "invalid", f"Days: from {LEAST_DAYS} to {MOST_DAYS:,}.")
    change_retention(cast("Kind", kind), days, deps, actor)
    return see("/system", "retention-changed")


def _live(connection: Connection) -> dict[str, Any]:
    return {
        "now": fleet.database_now(connection),
        "totals": fleet.totals(connection),
        "newest": system_page.newest(connection),
        "conditions": system_page.conditions(connection, limit=MOST_CONDITIONS),
        "kinds": CONDITION_KINDS,
    }


def _span(key: str) -> Span:
    return SPANS[key if key in OFFERED else USUAL]


def _plot(connection: Connection, span: Span, now: datetime) -> dict[str, Any]:
    start = now - span.length
    points = system_page.chart(connection, start, now, span.step)
    grid = grid_of(start, now, span.step)
    columns: dict[str, list[Any]] = {
        "at": [at.replace(tzinfo=UTC).timestamp() for at in grid],
        **{name: [points[at][name] if at in points else None for at in grid] for name in SERIES},
    }
    return {"step": span.step, "columns": columns}


def _csv(span: Span, now: datetime) -> str:
    start, end = ((now - back).isoformat() + "Z" for back in (span.length, timedelta(0)))
    query = {"from": start, "to": end, "limit": "50000", "format": "csv"}
    return f"/v1/system-analytics?{urlencode(query)}"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
