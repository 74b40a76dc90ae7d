"""What accounts, logins and the audit chain need beside the contract's tables."""

from sqlalchemy import (
    Column,
    Date,
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

oidc_logins = Table(
    "oidc_logins",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("browser_hash", String(64), nullable=False),
    Column("next_path", Text, server_default="/", nullable=False),
    Column("client_port", Integer),
    Column("client_challenge", String(64)),
    Column("client_state", String(128)),
    Column("expires_at", TIMESTAMP, nullable=False),
)

login_codes = Table(
    "login_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("challenge", String(64), nullable=False),
    Column("provider_session", String(255)),
    Column("expires_at", TIMESTAMP, nullable=False),
    Index("idx_login_codes_user", "user_id"),
)

audit_links = Table(
    "audit_links",
    metadata,
    Column("audit_id", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, nullable=False),
    Column("position", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("uq_audit_links_position", "day", "position", unique=True),
)

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("day", Date, primary_key=True),
    Column("rows", Integer, nullable=False),
    Column("last_hash", String(64), nullable=False),
    Column("seal", String(64), nullable=False),
    Column("sealed_at", TIMESTAMP, server_default=func.now(), nullable=False),
    Column("removed_at", TIMESTAMP),
)

audit_policy = Table(
    "audit_policy",
    metadata,
    Column("id", Integer, primary_key=True, server_default=text("1")),
    Column("retention_days", Integer),
)
