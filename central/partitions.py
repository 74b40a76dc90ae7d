"""Daily partitions of the three history tables, made ahead of time and on demand."""

from datetime import date, timedelta

from sqlalchemy import Connection, Engine, text

PARTITIONED = ("metrics", "node_heartbeats", "pool_analytics")
DAYS_AHEAD = 7
PARTITION_LOCK = 0x706F6F6C02  # "pool" 02


def ensure_partitions(engine: Engine, *, days_ahead: int = DAYS_AHEAD) -> list[str]:
    """Create what is missing from today (the database's UTC day) on; return the new names.

    One replica at a time does it. A partition is built beside its parent and then attached,
    which lets readers and writers of the parent go on.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
        today: date = connection.execute(
            text("SELECT (now() AT TIME ZONE 'UTC')::date")
        ).scalar_one()
        return [
            name
            for table in PARTITIONED
            for offset in range(days_ahead + 1)
            if (name := _create(connection, table, today + timedelta(days=offset)))
        ]


def _create(connection: Connection, table: str, day: date) -> str | None:
    name = f"{table}_{day:%Y%m%d}"
    if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None:
        return None
    connection.exec_driver_sql(
        f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
    )
    connection.exec_driver_sql(
        f"ALTER TABLE {table} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
    )
    return name
