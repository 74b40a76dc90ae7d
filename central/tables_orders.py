"""What central does by itself on an operator's word: rollouts, adoptions, and telling people."""

from typing import Any

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from central.tables import metadata


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _moment(name: str) -> Column[Any]:
    return Column(name, TIMESTAMP, server_default=func.now(), nullable=False)


def _number(name: str, default: int | None = None) -> Column[int]:
    server_default = None if default is None else text(str(default))
    return Column(name, Integer, server_default=server_default, nullable=False)


def _of(table: str, *, null: bool = False, key: bool = False) -> Column[int]:
    target = ForeignKey(f"{table}s.id", ondelete="CASCADE")
    name = f"{table}_id"
    return Column(name, target, nullable=null, primary_key=key, autoincrement=False)


def _by(who: str) -> list[Column[Any]]:
    return [
        Column(who, ForeignKey("users.id", ondelete="SET NULL")),
        Column(f"{who}_email", String(255)),
        Column(f"{who}_role", String(50)),
    ]


def _state(default: str | None) -> Column[str]:
    return Column("state", String(10), server_default=default, nullable=False)


rollouts = Table(
    "rollouts",
    metadata,
    _id(),
    _state("running"),
    Column("reason", Text),
    Column("edits", JSONB, nullable=False),
    _number("batch"),
    _number("allow_shrink"),
    _number("terminated", 0),
    _number("deadline_seconds"),
    _number("stage", 1),
    _number("stages"),
    _moment("created_at"),
    *_by("created_by"),
    Column("finished_at", TIMESTAMP),
)

rollout_nodes = Table(
    "rollout_nodes",
    metadata,
    _id(),
    _of("rollout"),
    _of("node"),
    _number("stage"),
    _state("waiting"),
    Column("reason", Text),
    Column("base_hash", String(64), nullable=False),
    Column("config_hash", String(64), nullable=False),
    Column("yaml_config", Text),
    Column("pushed_at", TIMESTAMP),
    Column("finished_at", TIMESTAMP),
    Index("uq_rollout_nodes_node", "rollout_id", "node_id", unique=True),
    Index("idx_rollout_nodes_node", "node_id"),
)

config_adoptions = Table(
    "config_adoptions",
    metadata,
    _of("node", key=True),
    _state("asked"),
    Column("take_over", Boolean, server_default=text("false"), nullable=False),
    Column("base_hash", String(64)),
    Column("reason", Text),
    Column("yaml_config", Text),
    Column("config_hash", String(64)),
    Column("generation", Integer),
    _moment("requested_at"),
    *_by("requested_by"),
    Column("finished_at", TIMESTAMP),
)

conditions = Table(
    "conditions",
    metadata,
    _id(),
    Column("kind", String(50), nullable=False),
    Column("subject", String(600), nullable=False),
    _of("node", null=True),
    _of("pool", null=True),
    Column("text", Text, nullable=False),
    _moment("since"),
    _moment("last_seen_at"),
    Column("told_at", TIMESTAMP),
    Index("uq_conditions_subject", "kind", "subject", unique=True),
    Index("idx_conditions_node", "node_id"),
    Index("idx_conditions_pool", "pool_id"),
)

notifications = Table(
    "notifications",
    metadata,
    _id(),
    Column("channel", String(20), nullable=False),
    _state(None),
    Column("kind", String(50), nullable=False),
    Column("subject", String(600), nullable=False),
    Column("text", Text, nullable=False),
    Column("since", TIMESTAMP, nullable=False),
    _moment("created_at"),
    _number("attempts", 0),
    _moment("next_attempt_at"),
    Column("sent_at", TIMESTAMP),
    Column("error", Text),
    Index("idx_notifications_created", "created_at"),
)
Index(
    "idx_notifications_waiting",
    notifications.c.channel,
    notifications.c.next_attempt_at,
    postgresql_where=notifications.c.sent_at.is_(None),
)
