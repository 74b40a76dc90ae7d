"""A node's keys: replaced with an overlap, revoked at once on every replica."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update

from central.store import key_rotation, nodes
from central.tables import nodes as nodes_table
from central.tables_support import node_keys
from central.tokens import Secret, new_node_key

MOST_LIVE = 2
_live = (
    node_keys.c.revoked_at.is_(None),
    node_keys.c.candidate.is_(False),
    text("COALESCE(node_keys.expires_at > now(), true)"),
)


def rotate(
    connection: Connection, name: str, overlap_seconds: int
) -> tuple[Secret, datetime | None]:
    """Add a key; the one before works for the overlap, any older one no longer.

    A rotation through the agent that is under way ends unfinished.

    Returns:
        The new key, and when the one before it expires (None: the node had none that works).

    Raises:
        ApiError: 404 when there is no such node.
    """
    node_id = nodes.lock(connection, name)["node_id"]
    key_rotation.give_up(connection, node_id)
    statement = select(node_keys.c.id).where(node_keys.c.node_id == node_id, *_live)
    live = list(connection.scalars(statement.order_by(node_keys.c.id.desc())))
    _revoke(connection, live[MOST_LIVE - 1 :])
    expires_at: datetime | None = None
    if live:
        end = func.now() + text("make_interval(secs => :overlap)").bindparams(
            overlap=overlap_seconds
        )
        shortened = (
            update(node_keys)
            .where(node_keys.c.id == live[0])
            .values(expires_at=func.least(node_keys.c.expires_at, end))
            .returning(node_keys.c.expires_at)
        )
        expires_at = connection.execute(shortened).scalar_one()
    secret = new_node_key(node_id)
    connection.execute(insert(node_keys).values(node_id=node_id, key_hash=secret.digest))
    _newest(connection, node_id, secret.digest)
    return secret, expires_at


def revoke(connection: Connection, name: str, *, keep_newest: bool) -> int:
    """Revoke a node's keys, or all but the newest; returns how many still worked.

    Raises:
        ApiError: 404 when there is no such node.
    """
    node_id = nodes.lock(connection, name)["node_id"]
    statement = select(node_keys.c.id).where(node_keys.c.node_id == node_id, *_live)
    live = list(connection.scalars(statement.order_by(node_keys.c.id.desc())))
    doomed = live[1:] if keep_newest else live
    _revoke(connection, doomed)
    if not keep_newest:
        key_rotation.give_up(connection, node_id)
        _newest(connection, node_id, None)
    return len(doomed)


def listed(connection: Connection, name: str) -> list[dict[str, Any]]:
    """A node's keys, newest first, without their hashes.

    Raises:
        ApiError: 404 when there is no such node.
    """
    node_id = nodes.id_of(connection, name)
    columns = (
        node_keys.c.id,
        node_keys.c.created_at,
        node_keys.c.expires_at,
        node_keys.c.revoked_at,
        node_keys.c.candidate,
    )
    statement = select(*columns).where(node_keys.c.node_id == node_id)
    rows = connection.execute(statement.order_by(node_keys.c.id.desc())).mappings()
    return [dict(row) for row in rows]


def _revoke(connection: Connection, ids: list[int]) -> None:
    connection.execute(
        update(node_keys).where(node_keys.c.id.in_(ids)).values(revoked_at=func.now())
    )


def _newest(connection: Connection, node_id: int, digest: str | None) -> None:
    connection.execute(
        update(nodes_table).where(nodes_table.c.id == node_id).values(api_key_hash=digest)
    )
