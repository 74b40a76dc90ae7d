"""A key that the agent renews by itself: asked for by an operator, handed out in its answer.

Only hashes are stored, so an answer that was lost cannot be repeated: until a successor has been
seen in use, every answer brings a new one in the place of the one before (`node_keys.candidate`).
The first request that shows it proves that the agent has it, and ends all keys before it.
"""

from sqlalchemy import Connection, delete, func, select, text, update

from central.errors import ApiError
from central.store import audit, nodes
from central.store.audit import Actor, Event
from central.tables import nodes as nodes_table
from central.tables_support import node_keys, node_state

CAPABILITY = "next_api_key"
CENTRAL = Actor(email="central")


def ask(connection: Connection, name: str, overlap_seconds: int | None) -> None:
    """Have a node's agent renew its key: its next answers bring a successor.

    Args:
        connection: a transaction.
        name: of the node.
        overlap_seconds: when the present keys end at the latest, used successor or not; None:
            not before the successor was seen in use.

    Raises:
        ApiError: 404 no such node; 409 its agent cannot do that.
    """
    state = nodes.lock(connection, name)
    if CAPABILITY not in state["capabilities"]:
        raise ApiError(
            409,
            "not_able",
            f"The agent of {name} has not said that it can renew its key: upgrade it, or use "
            "rotate-key without --through-agent.",
        )
    connection.execute(
        update(node_state)
        .where(node_state.c.node_id == state["node_id"])
        .values(rotate_key_since=func.now())
    )
    if overlap_seconds is not None:
        end = func.now() + text("make_interval(secs => :overlap)").bindparams(
            overlap=overlap_seconds
        )
        connection.execute(
            update(node_keys)
            .where(
                node_keys.c.node_id == state["node_id"],
                node_keys.c.revoked_at.is_(None),
                node_keys.c.candidate.is_(False),
            )
            .values(expires_at=func.least(node_keys.c.expires_at, end))
        )


def give_up(connection: Connection, node_id: int) -> None:
    """Forget a rotation that is under way, with the successor that nobody has used."""
    connection.execute(
        delete(node_keys).where(node_keys.c.node_id == node_id, node_keys.c.candidate)
    )
    connection.execute(
        update(node_state).where(node_state.c.node_id == node_id).values(rotate_key_since=None)
    )


def confirm(connection: Connection, key_hash: str) -> int | None:
    """A successor was shown for the first time: it is the node's key now, and the only one.

    Returns:
        The node; None when another successor has taken this one's place.
    """
    found = select(node_keys.c.node_id).where(node_keys.c.key_hash == key_hash)
    locked = (
        select(node_state.c.node_id)
        .where(node_state.c.node_id == found.scalar_subquery())
        .with_for_update()
    )
    node_id = connection.execute(locked).scalar_one_or_none()
    is_candidate = (node_keys.c.key_hash == key_hash, node_keys.c.candidate)
    proven = update(node_keys).where(*is_candidate).values(candidate=False)
    if node_id is None or connection.execute(proven).rowcount == 0:
        return nodes.by_key(connection, key_hash)[0]  # another replica saw it first, or it is gone
    connection.execute(
        update(node_keys)
        .where(
            node_keys.c.node_id == node_id,
            node_keys.c.key_hash != key_hash,
            node_keys.c.revoked_at.is_(None),
        )
        .values(revoked_at=func.now())
    )
    renamed = update(nodes_table).where(nodes_table.c.id == node_id)
    name = connection.execute(
        renamed.values(api_key_hash=key_hash).returning(nodes_table.c.name)
    ).scalar_one()
    give_up(connection, node_id)
    event = Event("NODE_KEY_RENEWED", "NODE", "node", str(node_id), name)
    audit.append(connection, CENTRAL, event)
    return int(node_id)
