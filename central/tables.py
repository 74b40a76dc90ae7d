"""The tables that operators may rely on, for statements; the migrations create them.

`docs/schema.md` explains every column. TIMESTAMP columns carry no zone and always mean UTC.
"""

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Date,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData()

UserRole = Enum("USER", "DEVOPS", "ADMIN", name="user_role")
AuthProvider = Enum("local", "keycloak", name="auth_provider")
NodeStatus = Enum("ACTIVE", "INACTIVE", "ERROR", "OFFLINE", name="node_status")
PoolStatus = Enum("healthy", "warning", "error", name="pool_status")


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _moment(name: str) -> Column[object]:
    return Column(name, TIMESTAMP, server_default=func.now())


def _node() -> Column[int]:
    return Column("node_id", ForeignKey("nodes.id", ondelete="CASCADE"), nullable=False)


def _flag(name: str, default: str) -> Column[bool]:
    return Column(name, Boolean, server_default=text(default))


users = Table(
    "users",
    metadata,
    _id(),
    Column("email", String(255), unique=True, nullable=False),
    Column("hashed_password", String(255)),
    Column("full_name", String(255), nullable=False),
    Column("role", UserRole, server_default="USER"),
    Column("auth_provider", AuthProvider, server_default="local"),
    Column("keycloak_user_id", String(255), unique=True),
    _flag("role_override", "false"),
    _flag("is_active", "true"),
    _moment("created_at"),
    Column("keycloak_issuer", String(255)),
    Column("override_reason", Text),
)

nodes = Table(
    "nodes",
    metadata,
    _id(),
    Column("name", String(255), nullable=False),
    Column("region", String(100), nullable=False),
    Column("ip_address", String(45)),
    Column("description", Text),
    Column("status", NodeStatus, server_default="INACTIVE"),
    Column("api_key_hash", String(64), unique=True),
    Column("last_heartbeat", TIMESTAMP),
    _moment("created_at"),
    Index("uq_nodes_name", "name", unique=True),
)

pools = Table(
    "pools",
    metadata,
    _id(),
    _node(),
    Column("oracle_pool_id", String(255), unique=True, nullable=False),
    Column("name", String(255), nullable=False),
    Column("region", String(100), nullable=False),
    Column("min_instances", Integer, server_default="1"),
    Column("max_instances", Integer, server_default="10"),
    Column("current_instances", Integer, server_default="1"),
    Column("status", PoolStatus, server_default="healthy"),
    _moment("created_at"),
    Column("compartment_id", String(255)),
    Column("mode", String(20), server_default="active", nullable=False),
    Column("retired_at", TIMESTAMP),
    Column("last_analytics_at", TIMESTAMP),
    Index("idx_pools_node", "node_id"),
)
Index(
    "uq_pools_node_name",
    pools.c.node_id,
    pools.c.name,
    unique=True,
    postgresql_where=pools.c.retired_at.is_(None),
)

schedules = Table(
    "schedules",
    metadata,
    _id(),
    _node(),
    Column("name", String(255), nullable=False),
    Column("start_time", String(5), nullable=False),
    Column("end_time", String(5), nullable=False),
    Column("target_instances", Integer, nullable=False),
    _flag("is_active", "true"),
    _moment("created_at"),
    Column("timezone", String(64), server_default="UTC", nullable=False),
    Column("days", ARRAY(Text), server_default="{mon,tue,wed,thu,fri,sat,sun}", nullable=False),
    Column("mode", String(20), server_default="at_least", nullable=False),
    Column("pools", ARRAY(Text)),
    Column("ready_early", Integer, server_default="0", nullable=False),
    Column("valid_from", Date),
    Column("valid_until", Date),
    Column("exceptions", ARRAY(Date), server_default="{}", nullable=False),
    Index("uq_schedules_node_name", "node_id", "name", unique=True),
)

audit_logs = Table(
    "audit_logs",
    metadata,
    _id(),
    Column("user_id", ForeignKey("users.id", ondelete="SET NULL")),
    Column("user_email", String(255)),
    Column("user_role", String(50)),
    Column("action", String(100), nullable=False),
    Column("category", String(50), nullable=False),
    Column("resource_type", String(100)),
    Column("resource_id", String(255)),
    Column("resource_name", String(255)),
    Column("description", Text),
    Column("details", Text),
    Column("ip_address", String(45)),
    Column("user_agent", Text),
    Column("status", String(20), server_default="SUCCESS"),
    Column("error_message", Text),
    _moment("timestamp"),
    Column("request_id", String(64)),
    Column("actor_id", Integer),
    Index("idx_audit_actor", "actor_id"),
    Index("idx_audit_resource", "resource_type", "resource_id"),
    Index("idx_audit_category", "category"),
    Index("idx_audit_timestamp", "timestamp"),
    Index("idx_audit_user", "user_id"),
)

node_configurations = Table(
    "node_configurations",
    metadata,
    _id(),
    _node(),
    Column("yaml_config", Text, nullable=False),
    Column("config_hash", String(64), nullable=False),
    _flag("is_active", "true"),
    _moment("created_at"),
    Column("generation", Integer, nullable=False),
    Column("rollback_of", Integer),
    Column("created_by", ForeignKey("users.id", ondelete="SET NULL")),
    Column("created_by_email", String(255)),
    Index("uq_node_configurations_generation", "node_id", "generation", unique=True),
    Index("idx_node_configurations_hash", "config_hash"),
)
Index(
    "uq_node_configurations_active",
    node_configurations.c.node_id,
    unique=True,
    postgresql_where=node_configurations.c.is_active,
)
