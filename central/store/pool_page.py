"""What the page of one pool shows: the pool with its node, its newest rows, its bounds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from central.errors import not_found

COUNTS = ("desired", "floor", "ceiling")
LARGEST = 2**31
_POOL = """
SELECT p.id, p.name, p.oracle_pool_id, p.compartment_id, p.region, p.min_instances,
       p.max_instances, p.current_instances, p.status::text AS status, p.mode, p.retired_at,
       p.last_analytics_at, p.node_id, n.name AS node, n.status::text AS node_status,
       n.last_heartbeat, s.active_hash, s.running_hash, s.failed_hash,
       COALESCE(s.maintenance, false) AS maintenance
FROM pools p JOIN nodes n ON n.id = p.node_id LEFT JOIN node_state s ON s.node_id = n.id
"""
_BY_NAME = f"""{_POOL}
WHERE n.name = :node AND p.name = :pool ORDER BY p.retired_at DESC NULLS FIRST, p.id DESC LIMIT 1
"""
_BY_NUMBER = f"{_POOL} WHERE p.id = :number"
# A node that has been silent for days still has a newest row: the partitions begin at its day.
_LAST = "LEAST(now()::timestamp, COALESCE(CAST(:last AS timestamp), now()::timestamp))"
_SINCE = f"received_at >= {_LAST} - interval '1 day'"
_NEWEST = f"""
SELECT timestamp, current_instances, active_instances,
       NULLIF(avg_cpu_utilization, 'NaN') AS cpu, NULLIF(max_cpu_utilization, 'NaN') AS cpu_peak,
       NULLIF(avg_memory_utilization, 'NaN') AS memory,
       NULLIF(max_memory_utilization, 'NaN') AS memory_peak,
       scaling_event, scaling_reason,
       decision #>> '{{reasons,-1,code}}' AS code, decision -> 'desired' AS desired,
       decision #> '{{bounds,floor}}' AS floor, decision #> '{{bounds,ceiling}}' AS ceiling
FROM pool_analytics
WHERE node_id = :node AND pool_id = :pool AND {_SINCE}
  AND timestamp >= {_LAST} - interval '4 hours'
ORDER BY timestamp DESC, id DESC LIMIT :limit
"""  # noqa: S608 # built of this module's constants
_VERSIONS = """
SELECT created_at, config_hash, octet_length(yaml_config) AS size FROM node_configurations
WHERE node_id = :node AND created_at < :end ORDER BY generation DESC LIMIT :limit
"""
_BOUNDS = """
SELECT s.at, r.floor, r.ceiling
FROM unnest(CAST(:moments AS timestamp[])) AS s (at)
CROSS JOIN LATERAL (
    SELECT decision #> '{bounds,floor}' AS floor, decision #> '{bounds,ceiling}' AS ceiling
    FROM pool_analytics
    WHERE node_id = :node AND pool_id = :pool
      AND timestamp >= s.at AND timestamp < s.at + make_interval(secs => :step)
      AND received_at >= s.at - interval '1 day' AND received_at < s.at + interval '2 days'
    ORDER BY timestamp DESC LIMIT 1
) r
"""


def by_name(connection: Connection, node: str, pool: str) -> dict[str, Any]:
    """A node's pool of that name; the newest one where only retired ones are left.

    Raises:
        ApiError: 404.
    """
    row = connection.execute(text(_BY_NAME), {"node": node, "pool": pool}).mappings().first()
    if row is None:
        raise not_found(f"pool of {node[:100]}", pool[:100])
    return dict(row)


def by_number(connection: Connection, number: int) -> dict[str, Any]:
    """The pool with an id.

    Raises:
        ApiError: 404.
    """
    row = connection.execute(text(_BY_NUMBER), {"number": number}).mappings().first()
    if row is None:
        raise not_found("pool", str(number))
    return dict(row)


def newest(connection: Connection, pool: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """The pool's rows of its last four hours, newest first, with what they say of decisions."""
    values = {**_keys(pool), "last": pool["last_analytics_at"], "limit": limit}
    rows = connection.execute(text(_NEWEST), values).mappings()
    return [{**row, **{name: count(row[name]) for name in COUNTS}} for row in rows]


def bounds(
    connection: Connection, pool: dict[str, Any], moments: Sequence[datetime], step: int
) -> dict[datetime, tuple[int | None, int | None]]:
    """Floor and ceiling at the end of each step that has rows left; `step` in seconds."""
    values = {**_keys(pool), "moments": list(moments), "step": step}
    rows = connection.execute(text(_BOUNDS), values)
    return {row.at: (count(row.floor), count(row.ceiling)) for row in rows}


def count(value: object) -> int | None:
    """A count out of a decision, which is whatever an agent sent; None for anything else."""
    return value if type(value) is int and 0 <= value < LARGEST else None


def versions(
    connection: Connection, node_id: int, end: datetime, limit: int
) -> list[dict[str, Any]]:
    """A node's configurations before `end`, newest first: since when, its hash, its bytes."""
    values = {"node": node_id, "end": end, "limit": limit}
    return [dict(row) for row in connection.execute(text(_VERSIONS), values).mappings()]


def _keys(pool: dict[str, Any]) -> dict[str, Any]:
    return {"node": pool["node_id"], "pool": pool["id"]}
