"""The fleet over time in equal steps, what is wrong with it, and what was told, for pages."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

_CHART = """
SELECT date_bin(make_interval(secs => :step), timestamp, TIMESTAMP '2000-01-01') AS at,
       max(total_current_instances) AS instances,
       max(total_active_instances) AS running,
       max(peak_instances_24h) AS peak,
       round(avg(avg_system_cpu)::numeric, 2)::float AS cpu,
       round(max(max_system_cpu)::numeric, 2)::float AS cpu_peak,
       round(avg(avg_system_memory)::numeric, 2)::float AS memory
FROM system_analytics WHERE timestamp >= :start AND timestamp < :end GROUP BY 1 ORDER BY 1
"""
_NEWEST = "SELECT * FROM system_analytics ORDER BY timestamp DESC LIMIT 1"
_CONDITIONS = """
SELECT c.kind, c.subject, c.text, c.since, c.told_at, n.name AS node, p.name AS pool
FROM conditions c LEFT JOIN nodes n ON n.id = c.node_id LEFT JOIN pools p ON p.id = c.pool_id
WHERE CAST(:pool AS integer) IS NULL OR c.pool_id = :pool
ORDER BY c.since DESC, c.id DESC LIMIT :limit
"""
_NOTIFICATIONS = """
SELECT id, channel, state, kind, subject, text, since, created_at, attempts, sent_at, error
FROM notifications WHERE CAST(:before AS integer) IS NULL OR id < :before
ORDER BY id DESC LIMIT :limit
"""
_SERVER = "SELECT current_setting('server_version'), pg_database_size(current_database())"


def chart(
    connection: Connection, start: datetime, end: datetime, step: int
) -> dict[datetime, dict[str, Any]]:
    """The largest sizes and mean utilisation of each step of so many seconds, by its start."""
    values = {"start": start, "end": end, "step": step}
    rows = connection.execute(text(_CHART), values).mappings()
    return {row["at"]: dict(row) for row in rows}


def newest(connection: Connection) -> dict[str, Any] | None:
    """The newest row of the fleet; there is one for every five minutes."""
    row = connection.execute(text(_NEWEST)).mappings().first()
    return None if row is None else dict(row)


def server(connection: Connection) -> tuple[str, int]:
    """PostgreSQL's version, and the size of the database in bytes."""
    row = connection.execute(text(_SERVER)).one()
    return str(row[0]), int(row[1])


def conditions(
    connection: Connection, *, limit: int, pool: int | None = None
) -> list[dict[str, Any]]:
    """What is wrong now, the youngest first; of one pool if its id is given."""
    values = {"limit": limit, "pool": pool}
    return [dict(row) for row in connection.execute(text(_CONDITIONS), values).mappings()]


def notifications(
    connection: Connection, *, limit: int, before: int | None = None
) -> list[dict[str, Any]]:
    """Messages to channels, newest first, below the id `before`."""
    values = {"limit": limit, "before": before}
    return [dict(row) for row in connection.execute(text(_NOTIFICATIONS), values).mappings()]
