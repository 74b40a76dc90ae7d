"""The fleet at a glance: nodes with what is wrong first, their pools, their last day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

SYNC = """
CASE WHEN s.active_hash IS NULL THEN 'no configuration'
     WHEN s.running_hash = s.active_hash THEN 'in sync'
     WHEN s.failed_hash = s.active_hash THEN 'rejected'
     ELSE 'pending' END
"""
# The lower, the sooner somebody should look.
SEVERITY = """
CASE WHEN s.maintenance THEN 8
     WHEN n.status = 'OFFLINE' THEN 0
     WHEN n.status = 'ERROR' THEN 1
     WHEN p.errors > 0 THEN 2
     WHEN s.failed_hash = s.active_hash AND s.running_hash IS DISTINCT FROM s.active_hash THEN 3
     WHEN s.reported_generation > COALESCE(s.active_generation, 0) THEN 4
     WHEN p.warnings > 0 THEN 5
     WHEN s.active_hash IS DISTINCT FROM s.running_hash THEN 6
     WHEN n.status = 'INACTIVE' THEN 7
     ELSE 9 END
"""
ORDERS = {
    "trouble": "severity, name",
    "name": "name",
    "region": "region, name",
    "status": "status, name",
    "heartbeat": "last_heartbeat NULLS FIRST, name",
    "hash": "active_hash NULLS FIRST, name",
}
_BASE = f"""
SELECT n.id, n.name, n.region, n.status::text AS status, n.last_heartbeat, n.description,
       s.active_hash, s.running_hash, s.apply_error, s.active_generation, s.reported_generation,
       s.agent_version, COALESCE(s.maintenance, false) AS maintenance, s.assigned_interval,
       {SYNC} AS sync, {SEVERITY} AS severity
FROM nodes n
LEFT JOIN node_state s ON s.node_id = n.id
LEFT JOIN (
    SELECT node_id, count(*) FILTER (WHERE status = 'error') AS errors,
           count(*) FILTER (WHERE status = 'warning') AS warnings
    FROM pools WHERE retired_at IS NULL GROUP BY node_id
) p ON p.node_id = n.id
"""  # noqa: S608 # built of this module's constants
_ROWS = """
SELECT f.*, count(*) OVER () AS total, l.reason, l.event_type, l.timestamp AS event_at
FROM ({base}) f
LEFT JOIN LATERAL (
    SELECT reason, event_type, timestamp FROM node_lifecycle_logs
    WHERE node_id = f.id AND f.status IN ('OFFLINE', 'ERROR') ORDER BY id DESC LIMIT 1
) l ON true
WHERE (CAST(:region AS text) IS NULL OR region = :region)
  AND (CAST(:status AS text) IS NULL OR status = :status)
  AND (CAST(:sync AS text) IS NULL OR sync = :sync)
  AND (CAST(:hash AS text) IS NULL OR starts_with(running_hash, :hash))
  AND (CAST(:search AS text) IS NULL OR strpos(lower(name), lower(:search)) > 0)
ORDER BY {order} LIMIT :limit OFFSET :offset
"""
_BY_NAME = """
SELECT f.*, (SELECT count(*) FROM pools WHERE node_id = f.id AND retired_at IS NULL) AS pools
FROM ({base}) f
WHERE (CAST(:after AS text) IS NULL OR name > :after)
  AND (CAST(:search AS text) IS NULL OR strpos(lower(name), lower(:search)) > 0)
  AND (CAST(:name AS text) IS NULL OR name = :name)
ORDER BY name LIMIT :limit
"""
_TOTALS = """
SELECT count(*) AS nodes, count(*) FILTER (WHERE status = 'ACTIVE') AS active,
       count(*) FILTER (WHERE status = 'ERROR') AS error,
       count(*) FILTER (WHERE status = 'OFFLINE') AS offline,
       count(*) FILTER (WHERE status = 'INACTIVE') AS inactive,
       count(*) FILTER (WHERE sync = 'pending') AS pending,
       count(*) FILTER (WHERE sync = 'rejected') AS rejected
FROM ({base}) f
"""
_POOLS = """
SELECT id, node_id, name, oracle_pool_id, mode, status::text AS status, min_instances,
       max_instances, current_instances, last_analytics_at
FROM pools WHERE node_id = ANY(:ids) AND retired_at IS NULL ORDER BY name, id
"""
_SPARKS = """
SELECT pool_id, date_bin(interval '30 minutes', bucket, TIMESTAMP '2000-01-01') AS at,
       max(current_max) AS size
FROM pool_analytics_5m
WHERE pool_id = ANY(:ids) AND bucket >= CAST(:since AS timestamp)
GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which nodes to show, in which order, from which one on; None asks for all."""

    region: str | None = None
    status: str | None = None
    sync: str | None = None
    running: str | None = None
    search: str | None = None
    order: str = "trouble"
    limit: int = 50
    offset: int = 0


def database_now(connection: Connection) -> datetime:
    """The clock by which central judges; bare UTC."""
    moment: datetime = connection.execute(text("SELECT now()::timestamp")).scalar_one()
    return moment


def fleet_rows(connection: Connection, wanted: Wanted) -> list[dict[str, Any]]:
    """Nodes, each with its `sync`, its `severity` and, when it is in trouble, the reason.

    Every row carries the `total` of nodes that the filters let through.
    """
    statement = _ROWS.format(base=_BASE, order=ORDERS[wanted.order])
    values = {
        "region": wanted.region,
        "status": wanted.status,
        "sync": wanted.sync,
        "hash": wanted.running,
        "search": wanted.search,
        "limit": wanted.limit,
        "offset": wanted.offset,
    }
    return [dict(row) for row in connection.execute(text(statement), values).mappings()]


def by_name(
    connection: Connection,
    *,
    after: str | None = None,
    search: str | None = None,
    name: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Nodes by name from the one after `after` on, or just the one called `name`."""
    values = {"after": after, "search": search, "name": name, "limit": limit}
    found = connection.execute(text(_BY_NAME.format(base=_BASE)), values).mappings()
    return [dict(row) for row in found]


def totals(connection: Connection) -> dict[str, int]:
    """How many nodes there are in each state, filters aside, and how many pools and instances."""
    nodes = connection.execute(text(_TOTALS.format(base=_BASE))).mappings().one()
    pools = text(
        "SELECT count(*) AS pools, COALESCE(sum(current_instances), 0) AS instances "
        "FROM pools WHERE retired_at IS NULL"
    )
    return {**nodes, **connection.execute(pools).mappings().one()}


def regions(connection: Connection) -> list[str]:
    """Every region that has a node."""
    return list(connection.execute(text("SELECT DISTINCT region FROM nodes ORDER BY 1")).scalars())


def pools_of(connection: Connection, node_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The pools of some nodes, by node."""
    found: dict[int, list[dict[str, Any]]] = {node_id: [] for node_id in node_ids}
    for row in connection.execute(text(_POOLS), {"ids": list(node_ids)}).mappings():
        found[row["node_id"]].append(dict(row))
    return found


def sparks(
    connection: Connection, pool_ids: Sequence[int], since: datetime
) -> dict[int, list[tuple[datetime, int]]]:
    """Each pool's largest size in every half hour since a moment; half hours without are absent."""
    found: dict[int, list[tuple[datetime, int]]] = {}
    values = {"ids": list(pool_ids), "since": since}
    for row in connection.execute(text(_SPARKS), values):
        found.setdefault(row.pool_id, []).append((row.at, row.size))
    return found
