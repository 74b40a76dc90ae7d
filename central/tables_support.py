"""What central needs beside the contract's tables: keys, sessions, cursors, liveness."""

from sqlalchemy import (
    ARRAY,
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
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from central.tables import metadata


def _required(name: str) -> Column[object]:
    return Column(name, TIMESTAMP, server_default=func.now(), nullable=False)


def _of_node(*, key: bool = False) -> Column[int]:
    target = ForeignKey("nodes.id", ondelete="CASCADE")
    return Column("node_id", target, primary_key=key, nullable=False, autoincrement=False)


def _texts(name: str) -> Column[list[str]]:
    return Column(name, ARRAY(Text), server_default="{}", nullable=False)


node_keys = Table(
    "node_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    _of_node(),
    Column("key_hash", String(64), unique=True, nullable=False),
    _required("created_at"),
    Column("expires_at", TIMESTAMP),
    Column("revoked_at", TIMESTAMP),
    Column("candidate", Boolean, server_default=text("false"), nullable=False),
    Index("idx_node_keys_node", "node_id"),
)
Index(
    "uq_node_keys_candidate",
    node_keys.c.node_id,
    unique=True,
    postgresql_where=node_keys.c.candidate,
)

node_state = Table(
    "node_state",
    metadata,
    _of_node(key=True),
    Column("assigned_interval", Double, server_default=text("30"), nullable=False),
    Column("deadline_at", TIMESTAMP),
    Column("received_at", TIMESTAMP),
    Column("offline_since", TIMESTAMP),
    Column("stream_id", String(64)),
    Column("boot_id", String(64)),
    Column("previous_boot_id", String(64)),
    Column("sequence", BigInteger, server_default="0", nullable=False),
    Column("agent_version", String(50)),
    Column("protocol", Integer),
    _texts("capabilities"),
    Column("last_tick_at", TIMESTAMP),
    Column("running_hash", String(64)),
    Column("received_hash", String(64)),
    Column("failed_hash", String(64)),
    Column("apply_status", String(20), server_default="none", nullable=False),
    Column("apply_error", Text),
    Column("reported_generation", Integer, server_default="0", nullable=False),
    Column("active_hash", String(64)),
    Column("active_generation", Integer),
    Column("retry_offers", Integer, server_default="0", nullable=False),
    _texts("observe_pools"),
    Column("maintenance", Boolean, server_default=text("false"), nullable=False),
    Column("wants_config", Boolean, server_default=text("false"), nullable=False),
    Column("rival_boot_id", String(64)),
    Column("rival_sequence", BigInteger, server_default="0", nullable=False),
    Column("rival_beats", Integer, server_default="0", nullable=False),
    Column("rival_heard_at", TIMESTAMP),
    Column("duplicate_since", TIMESTAMP),
    Column("rotate_key_since", TIMESTAMP),
    Column("tenancy", String(255)),
)

stream_cursors = Table(
    "stream_cursors",
    metadata,
    _of_node(key=True),
    Column("stream_id", String(64), primary_key=True),
    Column("last_sequence", BigInteger, server_default="0", nullable=False),
    _required("updated_at"),
)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("token_hash", String(64), unique=True, nullable=False),
    _required("created_at"),
    Column("expires_at", TIMESTAMP, nullable=False),
    Column("revoked_at", TIMESTAMP),
    Column("ip_address", String(45)),
    Column("user_agent", Text),
    Column("kind", String(10), server_default="bearer", nullable=False),
    _required("last_seen_at"),
    Column("provider_session", String(255)),
    Index("idx_user_sessions_provider", "provider_session"),
    Index("idx_user_sessions_user", "user_id"),
)

login_throttles = Table(
    "login_throttles",
    metadata,
    Column("subject", String(320), primary_key=True),
    Column("failures", Integer, nullable=False),
    _required("window_started_at"),
    Column("blocked_until", TIMESTAMP),
)

central_state = Table(
    "central_state",
    metadata,
    Column("id", Integer, primary_key=True, server_default=text("1")),
    _required("alive_at"),
    _required("healthy_since"),
    Column("outage_seconds", Double, server_default="0", nullable=False),
    Column("disruption_since", TIMESTAMP),
)
