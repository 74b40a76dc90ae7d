"""The fleet page: every node with what is wrong first. It keeps itself fresh."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from central.deps import Deps, Parts, Reader
from central.store import fleet
from central.web.rendering import page

router = APIRouter(tags=["pages"], include_in_schema=False)
PAGE_SIZE = 50
Order = Literal["trouble", "name", "region", "status", "heartbeat", "hash"]
Text = Annotated[str, Query(max_length=255)]
SYNC = ("in sync", "pending", "rejected", "no configuration")
STATUS = ("ACTIVE", "ERROR", "OFFLINE", "INACTIVE")


def _wanted(
    region: Text = "",
    status: Text = "",
    sync: Text = "",
    running: Annotated[str, Query(alias="hash", max_length=64)] = "",
    search: Text = "",
    order: Order = "trouble",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> fleet.Wanted:
    """The filters of the page's form; an empty field asks for all."""
    return fleet.Wanted(
        region or None,
        status or None,
        sync or None,
        running or None,
        search or None,
        order,
        PAGE_SIZE,
        offset,
    )


Filters = Annotated[fleet.Wanted, Depends(_wanted)]


@router.get("/")
def fleet_page(request: Request, deps: Parts, _actor: Reader, wanted: Filters) -> Response:
    """The page."""
    with deps.engine.connect() as connection:
        regions = fleet.regions(connection)
    values = _values(deps, wanted)
    return page(request, "fleet.html", **values, regions=regions, statuses=STATUS, syncs=SYNC)


@router.get("/fleet/rows")
def rows(request: Request, deps: Parts, _actor: Reader, wanted: Filters) -> Response:
    """What the page asks for every five seconds."""
    return page(request, "_fleet_rows.html", **_values(deps, wanted))


def _values(deps: Deps, wanted: fleet.Wanted) -> dict[str, Any]:
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        found = fleet.fleet_rows(connection, wanted)
        pools = fleet.pools_of(connection, [row["id"] for row in found])
        ids = [pool["id"] for of_node in pools.values() for pool in of_node]
        lines = deps.sparks.lines(connection, ids, now)
        totals = fleet.totals(connection)
    count = found[0]["total"] if found else 0
    return {
        "now": now,
        "nodes": found,
        "pools": pools,
        "sparks": lines,
        "totals": totals,
        "wanted": wanted,
        "count": count,
        "rows_url": f"/fleet/rows?{_query(wanted, wanted.offset)}",
        "next_url": _turn(wanted, wanted.offset + PAGE_SIZE, count),
        "previous_url": _turn(wanted, wanted.offset - PAGE_SIZE, count),
    }


def _turn(wanted: fleet.Wanted, offset: int, count: int) -> str | None:
    return f"/?{_query(wanted, offset)}" if 0 <= offset < count else None


def _query(wanted: fleet.Wanted, offset: int) -> str:
    given = {
        "region": wanted.region,
        "status": wanted.status,
        "sync": wanted.sync,
        "hash": wanted.running,
        "search": wanted.search,
        "order": wanted.order,
        "offset": offset,
    }
    return urlencode({name: value for name, value in given.items() if value})
