"""Tokens by which machines become nodes, and whose pools were before they were taken over."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from central.tables import metadata


def _of(table: str, name: str) -> Column[int]:
    target = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(name, target, primary_key=True, autoincrement=False)


enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", String(64), unique=True, nullable=False),
    Column("name", String(255)),
    Column("region", String(100)),
    Column("replaces", Boolean, server_default=text("false"), nullable=False),
    Column("created_at", TIMESTAMP, server_default=func.now(), nullable=False),
    Column("created_by", ForeignKey("users.id", ondelete="SET NULL")),
    Column("created_by_email", String(255)),
    Column("expires_at", TIMESTAMP, nullable=False),
    Column("revoked_at", TIMESTAMP),
    Column("used_at", TIMESTAMP),
    Column("nonce_hash", String(64)),
    Column("node_id", ForeignKey("nodes.id", ondelete="SET NULL")),
    Column("node_name", String(255)),
    Index("idx_enrolment_tokens_node", "node_id"),
)

pool_former_owners = Table(
    "pool_former_owners",
    metadata,
    _of("pools", "pool_id"),
    _of("nodes", "node_id"),
    Column("until", TIMESTAMP, server_default=func.now(), nullable=False),
    Index("idx_pool_former_owners_node", "node_id"),
)
