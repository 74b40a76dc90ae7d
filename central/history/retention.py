"""Forgetting in time: whole partitions for what is partitioned, small batches for the rest."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from central.history.spans import MONTHLY, Span

log = logging.getLogger(__name__)
RETENTION_LOCK = 0x706F6F6C08  # "pool" 08
ROLLED_UP = frozenset({"metrics", "pool_analytics"})
BY_PARTITION = (
    *("node_heartbeats", "metrics", "pool_analytics"),
    *("metrics_5m", "pool_analytics_5m", *sorted(MONTHLY)),
)
BY_ROW = ("scaling_events", "node_lifecycle_logs", "system_analytics")
BATCH = 5_000

_PARTITIONS = """
SELECT c.relname, i.inhparent IS NOT NULL AS attached,
       COALESCE(i.inhdetachpending, false) AS pending
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  AND c.relname ~ ('^' || :table || '_20[0-9]{6}$') ORDER BY c.relname
"""
_DELETE = """
DELETE FROM {table} WHERE id IN (
    SELECT id FROM {table} WHERE timestamp < now()::timestamp - make_interval(days => :days)
    ORDER BY timestamp LIMIT :batch)
"""


@dataclass(frozen=True, slots=True)
class _Partition:
    span: Span
    attached: bool
    pending: bool  # a concurrent detach was interrupted


def forget(engine: Engine) -> list[str]:
    """Drop the partitions and rows that are past their time; return the partitions' names.

    A partition is detached concurrently, so nobody waits behind a long query, and then dropped.
    What could not be locked within two seconds, or was left half-done, is due again next time.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = {"key": RETENTION_LOCK}
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one():
            return []
        connection.exec_driver_sql("SET lock_timeout = '2s'")
        try:
            policy = _policy(connection)
            dropped = [
                partition.span.name
                for table in BY_PARTITION
                for partition in _expired(connection, table, policy[table])
                if _drop(connection, partition)
            ]
            _delete_rows(connection, policy)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
            connection.invalidate()  # its lock_timeout is not for the next user
    if dropped:
        log.info("past their retention and dropped: %s", ", ".join(dropped))
    return dropped


def _policy(connection: Connection) -> dict[str, int]:
    rows = connection.execute(text("SELECT kind, days FROM retention_policy"))
    return {row.kind: row.days for row in rows}


def _expired(connection: Connection, table: str, days: int) -> list[_Partition]:
    """Partitions that ended that long ago; raw ones only once both roll-ups have read them."""
    today: date = connection.execute(text("SELECT now()::timestamp::date")).scalar_one()
    limit = today - timedelta(days=days)
    if table in ROLLED_UP:
        limit = min(limit, _rolled_up(connection, table))
    rows = connection.execute(text(_PARTITIONS), {"table": table})
    found = [_Partition(Span(table, _day(row.relname)), row.attached, row.pending) for row in rows]
    return [partition for partition in found if partition.span.end <= limit]


def _rolled_up(connection: Connection, table: str) -> date:
    statement = "SELECT count(*), min(done_until) FROM rollup_state WHERE name IN (:fine, :coarse)"
    names = {"fine": f"{table}_5m", "coarse": f"{table}_1h"}
    count, until = connection.execute(text(statement), names).one()
    return until.date() if count == 2 else date.min


def _drop(connection: Connection, partition: _Partition) -> bool:
    span = partition.span
    try:
        if partition.attached:
            how = "FINALIZE" if partition.pending else "CONCURRENTLY"
            connection.exec_driver_sql(
                f"ALTER TABLE {span.table} DETACH PARTITION {span.name} {how}"
            )
        connection.exec_driver_sql(f"DROP TABLE {span.name}")
    except OperationalError as error:
        log.warning("%s stays for now: %s", span.name, type(error.orig).__name__)
        return False
    return True


def _delete_rows(connection: Connection, policy: dict[str, int]) -> None:
    for table in BY_ROW:
        statement = text(_DELETE.format(table=table))
        values = {"days": policy[table], "batch": BATCH}
        while connection.execute(statement, values).rowcount == BATCH:
            pass


def _day(name: str) -> date:
    return datetime.strptime(name[-8:], "%Y%m%d").date()  # noqa: DTZ007 # a day has no zone
