"""Reading back what was stored: pools, analytics and lifecycle, newest first or by time."""

import json
import math
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select, tuple_

from central.errors import ApiError, not_found
from central.store.records import Page, paged
from central.tables import nodes, pools
from central.tables_history import node_lifecycle_logs as lifecycle
from central.tables_history import pool_analytics as analytics

UTILISATION = (
    "avg_cpu_utilization",
    "avg_memory_utilization",
    "max_cpu_utilization",
    "max_memory_utilization",
)
RECENT = 10_000  # rows: enough to have met every kind of event that happens


def list_pools(
    connection: Connection,
    *,
    node: str | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Pools by node and name, retired ones included; from the one after the pool `after` on."""
    statement = (
        select(pools, nodes.c.name.label("node"))
        .join_from(pools, nodes, nodes.c.id == pools.c.node_id)
        .order_by(nodes.c.name, pools.c.name, pools.c.id)
        .limit(limit)
    )
    if node is not None:
        statement = statement.where(nodes.c.name == node)
    if after is not None:
        place = (
            select(nodes.c.name, pools.c.name, pools.c.id)
            .join_from(pools, nodes, nodes.c.id == pools.c.node_id)
            .where(pools.c.id == after)
        )
        last = connection.execute(place).one_or_none()
        if last is None:
            raise not_found("pool", after)
        here = tuple_(nodes.c.name, pools.c.name, pools.c.id)
        statement = statement.where(here > tuple_(*last))
    return [dict(row) for row in connection.execute(statement).mappings()]


def find_pool(connection: Connection, name_or_ocid: str) -> dict[str, Any]:
    """One pool by OCID, by name if that is unique, or by NODE/NAME.

    Raises:
        ApiError: 404 for none, 409 for several of that name.
    """
    statement = select(pools, nodes.c.name.label("node")).join_from(
        pools, nodes, nodes.c.id == pools.c.node_id
    )
    node, slash, name = name_or_ocid.partition("/")
    if slash:
        statement = statement.where(nodes.c.name == node, pools.c.name == name)
    else:
        statement = statement.where(
            or_(pools.c.oracle_pool_id == name_or_ocid, pools.c.name == name_or_ocid)
        )
    rows = [dict(row) for row in connection.execute(statement.limit(10)).mappings()]
    live = [row for row in rows if row["retired_at"] is None] or rows
    if not live:
        raise not_found("pool", name_or_ocid)
    if len(live) > 1:
        owners = ", ".join(sorted(f"{row['node']}/{row['name']}" for row in live))
        raise ApiError(409, "ambiguous", f"Several pools have that name: say one of {owners}.")
    return live[0]


def pool_of(connection: Connection, node: str, ocid: str) -> dict[str, Any] | None:
    """A node's pool by OCID, retired or not; None where central has never had it."""
    statement = (
        select(pools)
        .join_from(pools, nodes, nodes.c.id == pools.c.node_id)
        .where(nodes.c.name == node, pools.c.oracle_pool_id == ocid)
    )
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else dict(row)


def pool_rows(connection: Connection, pool_id: int, page: Page) -> list[dict[str, Any]]:
    """Analytics of a pool with an event time in the page, oldest first.

    Rows carry the event's time, partitions the time of receipt: the bound on `received_at` is
    what lets PostgreSQL skip days. Clocks may differ by a day, history may come late.
    """
    statement = select(analytics).where(
        analytics.c.pool_id == pool_id,
        analytics.c.received_at >= func.least(page.start, func.now()) - timedelta(days=1),
    )
    found = connection.execute(paged(statement, analytics, page))
    return [_finite(dict(row)) for row in found.mappings()]


def lifecycle_page(
    connection: Connection,
    *,
    node: str | None,
    before: int | None,
    limit: int,
    event: str | None = None,
) -> list[dict[str, Any]]:
    """Lifecycle rows, newest first, below the id `before`; of a node and an event, if given."""
    statement = (
        select(lifecycle, nodes.c.name.label("node"))
        .join_from(lifecycle, nodes, nodes.c.id == lifecycle.c.node_id)
        .limit(limit)
    )
    if node is None:
        statement = statement.order_by(lifecycle.c.id.desc())
    else:  # "+ 0": or it reads everybody's rows backwards until a quiet node's few have come
        statement = statement.where(nodes.c.name == node).order_by((lifecycle.c.id + 0).desc())
    if before is not None:
        statement = statement.where(lifecycle.c.id < before)
    if event is not None:
        statement = statement.where(lifecycle.c.event_type == event)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    for row in rows:
        row["extra_data"] = json.loads(row["extra_data"]) if row["extra_data"] else None
    return rows


def recent_events(connection: Connection) -> list[str]:
    """The kinds of events among the newest lifecycle rows, to choose from."""
    newest = select(lifecycle.c.event_type).order_by(lifecycle.c.id.desc()).limit(RECENT).subquery()
    statement = select(newest.c.event_type).distinct().order_by(newest.c.event_type)
    return list(connection.execute(statement).scalars())


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """NaN marks the unknown in a column that cannot be NULL; JSON says null."""
    for name in UTILISATION:
        if row[name] is not None and math.isnan(row[name]):
            row[name] = None
    return row
