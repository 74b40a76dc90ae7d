"""History that lasts: roll-ups of five minutes and an hour, kept resizes, retention."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from central.tables import metadata

BY_BUCKET = "RANGE (bucket)"


def _sizes(name: str) -> list[Column[Any]]:
    kinds = {"min": Integer, "max": Integer, "avg": Double, "last": Integer}
    return [Column(f"{name}_{what}", kind, nullable=False) for what, kind in kinds.items()]


def _known(name: str, *more: str) -> list[Column[Any]]:
    parts = ("min", "max", "avg", "last", *more)
    count: Column[Any] = Column(f"{name}_count", Integer, nullable=False)
    return [count, *(Column(f"{name}_{what}", Double) for what in parts)]


def _of(table: str) -> Column[int]:
    target = ForeignKey(f"{table}s.id", ondelete="CASCADE")
    return Column(f"{table}_id", target, nullable=False)


def _analytics(level: str) -> Table:
    return Table(
        f"pool_analytics_{level}",
        metadata,
        Column("pool_id", ForeignKey("pools.id", ondelete="CASCADE"), primary_key=True),
        Column("bucket", TIMESTAMP, primary_key=True),
        Column("samples", Integer, nullable=False),
        *_sizes("current"),
        *_sizes("active"),
        *_known("cpu", "peak"),
        *_known("memory", "peak"),
        Index(f"idx_pool_analytics_{level}_bucket", "bucket"),
        postgresql_partition_by=BY_BUCKET,
    )


def _metrics(level: str) -> Table:
    return Table(
        f"metrics_{level}",
        metadata,
        Column("node_id", ForeignKey("nodes.id", ondelete="CASCADE"), primary_key=True),
        Column("pool_id", Integer, primary_key=True, autoincrement=False),
        Column("metric_type", String(100), primary_key=True),
        Column("bucket", TIMESTAMP, primary_key=True),
        Column("unit", String(50), nullable=False),
        Column("samples", Integer, nullable=False),
        *_known("value"),
        Index(f"idx_metrics_{level}_bucket", "bucket"),
        postgresql_partition_by=BY_BUCKET,
    )


pool_analytics_5m = _analytics("5m")
pool_analytics_1h = _analytics("1h")
metrics_5m = _metrics("5m")
metrics_1h = _metrics("1h")

rollup_state = Table(
    "rollup_state",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("done_until", TIMESTAMP, nullable=False),
    Column("finished_at", TIMESTAMP, server_default=func.now(), nullable=False),
)

scaling_events = Table(
    "scaling_events",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    _of("pool"),
    _of("node"),
    Column("oracle_pool_id", String(255), nullable=False),
    Column("timestamp", TIMESTAMP, nullable=False),
    Column("current_instances", Integer, nullable=False),
    Column("active_instances", Integer, nullable=False),
    Column("avg_cpu_utilization", Double, nullable=False),
    Column("avg_memory_utilization", Double, nullable=False),
    Column("max_cpu_utilization", Double),
    Column("max_memory_utilization", Double),
    Column("pool_status", String(50)),
    Column("is_active", Boolean),
    Column("scaling_event", String(100), nullable=False),
    Column("scaling_reason", Text),
    Column("config_hash", String(64)),
    Column("decision", JSONB),
    Column("received_at", TIMESTAMP, nullable=False),
    Index("idx_scaling_events_pool", "pool_id", "timestamp"),
    Index("idx_scaling_events_node", "node_id"),
    Index("idx_scaling_events_time", "timestamp"),
)

retention_policy = Table(
    "retention_policy",
    metadata,
    Column("kind", String(50), primary_key=True),
    Column("days", Integer, nullable=False),
)
