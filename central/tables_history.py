"""What the fleet did: heartbeats, metrics, analytics, lifecycle. Three are partitioned by day."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Sequence,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from central.tables import metadata

BY_DAY = "RANGE (received_at)"


def _big_id(table: str) -> Column[int]:
    """The id of a partitioned table: unique together with `received_at`."""
    return Column("id", BigInteger, Sequence(f"{table}_id_seq"), primary_key=True)


def _received() -> Column[object]:
    return Column("received_at", TIMESTAMP, server_default=func.now(), primary_key=True)


def _timestamp() -> Column[object]:
    return Column("timestamp", TIMESTAMP, server_default=func.now())


def _node() -> Column[int]:
    return Column("node_id", ForeignKey("nodes.id", ondelete="CASCADE"), nullable=False)


def _counted(name: str) -> Column[int]:
    return Column(name, Integer, server_default="0")


def _measured(name: str) -> Column[float]:
    return Column(name, Double, server_default="0")


def _lately(table: str) -> Index:
    """Rows lie in the order of their receipt, so a few kilobytes tell where the newest begin."""
    return Index(
        f"idx_{table}_received",
        "received_at",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
    )


metrics = Table(
    "metrics",
    metadata,
    _big_id("metrics"),
    _node(),
    Column("pool_id", ForeignKey("pools.id", ondelete="CASCADE")),
    Column("metric_type", String(100), nullable=False),
    Column("value", Double, nullable=False),
    Column("unit", String(50), nullable=False),
    _timestamp(),
    _received(),
    Index("idx_metrics_node_timestamp", "node_id", "timestamp"),
    Index("idx_metrics_pool_timestamp", "pool_id", "timestamp"),
    _lately("metrics"),
    postgresql_partition_by=BY_DAY,
)

node_heartbeats = Table(
    "node_heartbeats",
    metadata,
    _big_id("node_heartbeats"),
    _node(),
    Column("config_hash", String(64)),
    Column("status", String(50), nullable=False),
    Column("error_message", Text),
    Column("metrics_data", Text),
    _timestamp(),
    _received(),
    Index("idx_heartbeat_node_time", "node_id", "timestamp"),
    postgresql_partition_by=BY_DAY,
)

node_lifecycle_logs = Table(
    "node_lifecycle_logs",
    metadata,
    Column("id", Integer, primary_key=True),
    _node(),
    Column("event_type", String(50), nullable=False),
    Column("previous_status", String(50)),
    Column("new_status", String(50), nullable=False),
    Column("reason", Text),
    Column("triggered_by", String(100)),
    Column("extra_data", Text),
    _timestamp(),
    Index("idx_lifecycle_node", "node_id"),
    Index("idx_lifecycle_time", "timestamp"),
)

pool_analytics = Table(
    "pool_analytics",
    metadata,
    _big_id("pool_analytics"),
    Column("pool_id", ForeignKey("pools.id", ondelete="CASCADE"), nullable=False),
    _node(),
    Column("oracle_pool_id", String(255), nullable=False),
    _timestamp(),
    Column("current_instances", Integer, nullable=False),
    Column("active_instances", Integer, nullable=False),
    Column("avg_cpu_utilization", Double, nullable=False),
    Column("avg_memory_utilization", Double, nullable=False),
    Column("max_cpu_utilization", Double),
    Column("max_memory_utilization", Double),
    Column("pool_status", String(50), server_default="healthy"),
    Column("is_active", Boolean, server_default=text("true")),
    Column("scaling_event", String(100)),
    Column("scaling_reason", Text),
    Column("config_hash", String(64)),
    Column("decision", JSONB),
    _received(),
    Index("idx_pool_analytics_time", "timestamp"),
    Index("idx_pool_analytics_pool", "pool_id"),
    Index("idx_pool_analytics_node_timestamp", "node_id", "timestamp"),
    _lately("pool_analytics"),
    postgresql_partition_by=BY_DAY,
)

system_analytics = Table(
    "system_analytics",
    metadata,
    Column("id", Integer, primary_key=True),
    _timestamp(),
    _counted("total_active_pools"),
    _counted("total_current_instances"),
    _counted("total_active_instances"),
    _measured("avg_system_cpu"),
    _measured("avg_system_memory"),
    _measured("max_system_cpu"),
    _measured("max_system_memory"),
    _counted("peak_instances_24h"),
    _counted("max_active_pools_24h"),
    _counted("active_nodes"),
    Index("idx_system_analytics_time", "timestamp"),
)
