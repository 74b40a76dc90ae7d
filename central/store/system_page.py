"""The fleet over time in equal steps, for the page that draws it."""

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
