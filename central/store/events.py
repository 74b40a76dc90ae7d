"""Scaling events of a pool: what was kept for years, and what came since the last roll-up."""

from typing import Any

from sqlalchemy import Connection, text

from central.store.records import Page

_ROW = """id, pool_id, node_id, oracle_pool_id, timestamp, current_instances, active_instances,
    NULLIF(avg_cpu_utilization, 'NaN') AS avg_cpu_utilization,
    NULLIF(avg_memory_utilization, 'NaN') AS avg_memory_utilization,
    NULLIF(max_cpu_utilization, 'NaN') AS max_cpu_utilization,
    NULLIF(max_memory_utilization, 'NaN') AS max_memory_utilization,
    pool_status, is_active, scaling_event, scaling_reason, config_hash, decision, received_at"""
_MARK = """id, timestamp, scaling_event, scaling_reason, current_instances,
    decision -> 'before' AS before, decision -> 'to' AS to"""
# A row is copied out of the history by the roll-up of its receipt: until then it is only there.
_FIND = """
SELECT {columns} FROM scaling_events
WHERE pool_id = :pool AND timestamp >= :start AND {before_end}
UNION ALL
SELECT {columns} FROM pool_analytics a
WHERE pool_id = :pool AND timestamp >= :start AND {before_end} AND scaling_event IS NOT NULL
  AND received_at > COALESCE(
      (SELECT done_until - interval '1 minute' FROM rollup_state
       WHERE name = 'pool_analytics_5m'), '-infinity')
  AND NOT EXISTS (SELECT FROM scaling_events e WHERE e.id = a.id)
ORDER BY timestamp DESC, id DESC LIMIT :limit
"""


def scaling_events(connection: Connection, pool_id: int, page: Page) -> list[dict[str, Any]]:
    """A pool's scaling events in a time range, newest first.

    To continue, the page's `end` is the last row's time and `after` its id.
    """
    return _find(connection, _ROW, pool_id, page)


def marks(connection: Connection, pool_id: int, page: Page) -> list[dict[str, Any]]:
    """What a plot tells of the events: time, kind, reason, `before` and `to` where recorded."""
    return _find(connection, _MARK, pool_id, page)


def _find(connection: Connection, columns: str, pool_id: int, page: Page) -> list[dict[str, Any]]:
    below = "timestamp < :end" if page.after is None else "(timestamp, id) < (:end, :after)"
    statement = _FIND.format(columns=columns, before_end=below)
    values = {
        "pool": pool_id,
        "start": page.start,
        "end": page.end,
        "after": page.after,
        "limit": page.limit,
    }
    return [dict(row) for row in connection.execute(text(statement), values).mappings()]
