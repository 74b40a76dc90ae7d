"""Keeping the roll-ups right: what was received since the last pass tells which buckets changed.

A changed bucket is computed anew from all of its rows, so a pass may be repeated, a late outbox
mends the past, and the bucket that is still filling is there already.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from central.history.rollup_sql import ROLLUPS, Rollup
from central.history.spans import ensure_spans

log = logging.getLogger(__name__)
ROLLUP_LOCK = 0x706F6F6C06  # "pool" 06
OVERLAP = timedelta(minutes=1)  # longer than any ingest transaction: it commits after it is stamped
CHUNK = timedelta(hours=3)  # of receipt, for one transaction of a pass that has to catch up
LATEST = timedelta(days=7)  # an outbox keeps no more; older events stay in the raw history alone
STATEMENT_MS = 600_000

_START = """
INSERT INTO rollup_state (name, done_until)
SELECT :name, COALESCE((SELECT min(received_at) FROM {raw}) - interval '1 second', now())
ON CONFLICT DO NOTHING
"""
_WINDOW = """
SELECT s.done_until, LEAST(now()::timestamp, s.done_until + :chunk,
                           COALESCE(f.done_until, 'infinity')) AS until
FROM rollup_state s LEFT JOIN rollup_state f ON f.name = :finer WHERE s.name = :name
"""
_DONE = "UPDATE rollup_state SET done_until = :until, finished_at = now() WHERE name = :name"
_RANGE = "SELECT min(bucket), max(bucket) FROM dirty"
_DAYS = "SELECT DISTINCT bucket::date FROM dirty"
_KEEP = """
INSERT INTO scaling_events (id, pool_id, node_id, oracle_pool_id, timestamp, current_instances,
    active_instances, avg_cpu_utilization, avg_memory_utilization, max_cpu_utilization,
    max_memory_utilization, pool_status, is_active, scaling_event, scaling_reason, config_hash,
    decision, received_at)
SELECT id, pool_id, node_id, oracle_pool_id, timestamp, current_instances,
    active_instances, avg_cpu_utilization, avg_memory_utilization, max_cpu_utilization,
    max_memory_utilization, pool_status, is_active, scaling_event, scaling_reason, config_hash,
    decision, received_at
FROM pool_analytics
WHERE scaling_event IS NOT NULL AND received_at > :since AND received_at <= :until
ON CONFLICT DO NOTHING
"""


def roll_up(engine: Engine) -> int:
    """Bring every roll-up up to date; return how many buckets were computed.

    One replica at a time does it; another leaves at once. A pass that was interrupted goes on
    where its last transaction ended.
    """
    computed = 0
    for rollup in ROLLUPS:
        while True:
            with engine.begin() as connection:
                step = _step(connection, rollup)
            if step is None:
                break
            computed += step[0]
            if step[1]:
                break
    return computed


def _step(connection: Connection, rollup: Rollup) -> tuple[int, bool] | None:
    """One transaction: how many buckets, and whether that was all; None: it is another's turn."""
    connection.execute(text(f"SET LOCAL statement_timeout = {STATEMENT_MS}"))
    lock = text("SELECT pg_try_advisory_xact_lock(:key)")
    if not connection.execute(lock, {"key": ROLLUP_LOCK}).scalar_one():
        return None
    connection.execute(text(_START.format(raw=rollup.raw)), {"name": rollup.table})
    finer = None if rollup.source == rollup.raw else rollup.source
    values = {"name": rollup.table, "finer": finer, "chunk": CHUNK}
    done, until = connection.execute(text(_WINDOW), values).one()
    window = {"since": done - OVERLAP, "until": until}
    count = _recompute(connection, rollup, window)
    if rollup.table == "pool_analytics_5m":
        connection.execute(text(_KEEP), window)
    connection.execute(text(_DONE), {"until": max(done, until), "name": rollup.table})
    return count, until < done + CHUNK


def _recompute(connection: Connection, rollup: Rollup, window: dict[str, datetime]) -> int:
    connection.execute(text(rollup.dirty), {**window, "late": LATEST})
    low, last = connection.execute(text(_RANGE)).one()
    if low is None:
        connection.execute(text("DROP TABLE dirty"))
        return 0
    connection.execute(text("ANALYZE dirty"))
    days = list(connection.scalars(text(_DAYS)))
    with connection.engine.begin() as short:  # its foreign keys lock nodes and pools to its end
        ensure_spans(short, rollup.table, days)
    bounds = {"low": low, "high": last + timedelta(seconds=rollup.seconds)}
    count = connection.execute(text(rollup.recompute), bounds).rowcount
    connection.execute(text("DROP TABLE dirty"))
    return count
