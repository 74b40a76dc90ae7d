"""Rows as they were received: metrics, schedules, the fleet over time; page by page."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select, tuple_

from central.tables import nodes, pools, schedules
from central.tables_history import metrics, system_analytics


@dataclass(frozen=True, slots=True)
class Page:
    """From `start` to before `end`, oldest first.

    To continue, `start` is the last row's time and `after` its id.
    """

    start: datetime
    end: datetime
    after: int | None
    limit: int


def metric_rows(
    connection: Connection, page: Page, *, node: str, pool: int | None, metric: str | None
) -> list[dict[str, Any]]:
    """A node's metrics, of all its pools and its own unless one is named (0: its own)."""
    statement = (
        select(metrics, nodes.c.name.label("node"), pools.c.name.label("pool"))
        .join_from(metrics, nodes, nodes.c.id == metrics.c.node_id)
        .outerjoin(pools, pools.c.id == metrics.c.pool_id)
        .where(
            nodes.c.name == node,
            metrics.c.received_at >= func.least(page.start, func.now()) - timedelta(days=1),
        )
    )
    if pool is not None:
        statement = statement.where(func.coalesce(metrics.c.pool_id, 0) == pool)
    if metric is not None:
        statement = statement.where(metrics.c.metric_type == metric)
    rows = [dict(row) for row in connection.execute(paged(statement, metrics, page)).mappings()]
    for row in rows:
        row["value"] = None if math.isnan(row["value"]) else row["value"]
    return rows


def system_rows(connection: Connection, page: Page) -> list[dict[str, Any]]:
    """The fleet over time."""
    statement = paged(select(system_analytics), system_analytics, page)
    return [dict(row) for row in connection.execute(statement).mappings()]


def schedule_rows(
    connection: Connection, *, node: str | None, after: int | None, limit: int
) -> list[dict[str, Any]]:
    """Schedules by id, from the one after `after` on."""
    statement = (
        select(schedules, nodes.c.name.label("node"))
        .join_from(schedules, nodes, nodes.c.id == schedules.c.node_id)
        .order_by(schedules.c.id)
        .limit(limit)
    )
    if node is not None:
        statement = statement.where(nodes.c.name == node)
    if after is not None:
        statement = statement.where(schedules.c.id > after)
    return [dict(row) for row in connection.execute(statement).mappings()]


def paged(statement: Select[Any], table: Table, page: Page) -> Select[Any]:
    """A statement narrowed to a page of a table that has a `timestamp` and an `id`."""
    moment, key = table.c.timestamp, table.c.id
    first = moment >= page.start
    if page.after is not None:
        first = tuple_(moment, key) > tuple_(page.start, page.after)
    return statement.where(first, moment < page.end).order_by(moment, key).limit(page.limit)
