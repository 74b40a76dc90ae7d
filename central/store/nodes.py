"""Nodes, their keys, and what central last heard of them."""

from typing import Any

from sqlalchemy import Connection, RowMapping, case, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from central.errors import ApiError, not_found
from central.liveness import GRACE_SECONDS, MISSED_HEARTBEATS
from central.tables import nodes, pools
from central.tables_support import node_keys, node_state
from central.tokens import Secret, new_node_key

_shown = (
    nodes.c.id,
    nodes.c.name,
    nodes.c.region,
    nodes.c.description,
    nodes.c.status,
    nodes.c.ip_address,
    nodes.c.last_heartbeat,
    nodes.c.created_at,
    node_state.c.agent_version,
    node_state.c.assigned_interval,
    node_state.c.active_hash,
    node_state.c.active_generation,
    node_state.c.running_hash,
    node_state.c.received_hash,
    node_state.c.failed_hash,
    node_state.c.apply_status,
    node_state.c.apply_error,
    node_state.c.last_tick_at,
    node_state.c.maintenance,
    node_state.c.reported_generation,
    node_state.c.rotate_key_since,
    case(
        (
            node_state.c.rival_heard_at
            > func.now()
            - func.make_interval(
                0, 0, 0, 0, 0, 0, MISSED_HEARTBEATS * node_state.c.assigned_interval + GRACE_SECONDS
            ),
            node_state.c.duplicate_since,
        )
    ).label("duplicate_since"),
    select(func.count())
    .where(pools.c.node_id == nodes.c.id, pools.c.retired_at.is_(None))
    .scalar_subquery()
    .label("pools"),
)


def create(
    connection: Connection, name: str, region: str, description: str | None
) -> tuple[int, Secret]:
    """Add a node with its first key; the key's text is never stored.

    Raises:
        ApiError: 409 when the name is taken.
    """
    values = {"name": name, "region": region, "description": description}
    try:
        with connection.begin_nested():
            node_id = int(
                connection.execute(insert(nodes).values(values).returning(nodes.c.id)).scalar_one()
            )
    except IntegrityError as error:
        raise ApiError(409, "exists", f"There is already a node {name!r}.") from error
    secret = new_node_key(node_id)
    connection.execute(insert(node_state).values(node_id=node_id))
    connection.execute(insert(node_keys).values(node_id=node_id, key_hash=secret.digest))
    connection.execute(
        update(nodes).where(nodes.c.id == node_id).values(api_key_hash=secret.digest)
    )
    return node_id, secret


def by_key(connection: Connection, key_hash: str) -> tuple[int | None, bool]:
    """The node of a live key, and whether the key is a successor that nobody has shown so far."""
    statement = select(node_keys.c.node_id, node_keys.c.candidate).where(
        node_keys.c.key_hash == key_hash,
        node_keys.c.revoked_at.is_(None),
        func.coalesce(node_keys.c.expires_at > func.now(), text("true")),
    )
    row = connection.execute(statement).one_or_none()
    return (None, False) if row is None else (row.node_id, row.candidate)


def live_keys(connection: Connection, limit: int) -> list[tuple[str, int]]:
    """Digests of live keys with their nodes, the most recently heard nodes' first."""
    statement = (
        select(node_keys.c.key_hash, node_keys.c.node_id)
        .join(node_state, node_state.c.node_id == node_keys.c.node_id)
        .where(
            node_keys.c.revoked_at.is_(None),
            node_keys.c.candidate.is_(False),  # its first use must be seen
            func.coalesce(node_keys.c.expires_at > func.now(), text("true")),
        )
        .order_by(node_state.c.received_at.desc().nulls_last())
        .limit(limit)
    )
    return [(row.key_hash, row.node_id) for row in connection.execute(statement)]


def id_of(connection: Connection, name: str) -> int:
    """A node's id.

    Raises:
        ApiError: 404 when there is none of that name.
    """
    found = connection.execute(select(nodes.c.id).where(nodes.c.name == name)).scalar_one_or_none()
    if found is None:
        raise not_found("node", name)
    return int(found)


def capabilities(connection: Connection, node_id: int) -> list[str]:
    """What a node's agent said last that it can."""
    statement = select(node_state.c.capabilities).where(node_state.c.node_id == node_id)
    return list(connection.execute(statement).scalar_one())


def lock(connection: Connection, name: str) -> RowMapping:
    """A node's state, locked: ingest and other operators leave the node alone meanwhile.

    Raises:
        ApiError: 404 when there is none of that name.
    """
    node_id = id_of(connection, name)
    statement = select(node_state).where(node_state.c.node_id == node_id).with_for_update()
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise not_found("node", name)
    return row


def lock_with_owners(connection: Connection, name: str, ocids: list[str]) -> dict[int, RowMapping]:
    """A node's state, then those of the owners of some pools, by id; locked in the order of ids.

    Ingest locks nodes before pools, and so must whoever moves a pool from one node to another.

    Raises:
        ApiError: 404 when there is no node of that name.
    """
    node_id = id_of(connection, name)
    owners = select(pools.c.node_id).where(pools.c.oracle_pool_id.in_(ocids))
    statement = (
        select(node_state)
        .where(or_(node_state.c.node_id == node_id, node_state.c.node_id.in_(owners)))
        .order_by(node_state.c.node_id)
        .with_for_update()
    )
    found = {row["node_id"]: row for row in connection.execute(statement).mappings()}
    if node_id not in found:
        raise not_found("node", name)
    return {node_id: found.pop(node_id), **found}


def page(
    connection: Connection, *, after: str | None = None, limit: int = 1000
) -> list[dict[str, Any]]:
    """Nodes by name, from the one after `after` on."""
    statement = (
        select(*_shown).outerjoin_from(nodes, node_state).order_by(nodes.c.name).limit(limit)
    )
    if after is not None:
        statement = statement.where(nodes.c.name > after)
    return [dict(row) for row in connection.execute(statement).mappings()]


def show(connection: Connection, name: str) -> dict[str, Any]:
    """One node.

    Raises:
        ApiError: 404 when there is none of that name.
    """
    statement = select(*_shown).outerjoin_from(nodes, node_state).where(nodes.c.name == name)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise not_found("node", name)
    return dict(row)


def count(connection: Connection) -> int:
    """How many nodes are expected to send heartbeats; sets their interval."""
    alive = nodes.c.status.in_(["ACTIVE", "ERROR", "OFFLINE"])
    return int(connection.execute(select(func.count()).where(alive)).scalar_one())


def readers(connection: Connection) -> list[tuple[int, str | None]]:
    """Nodes that read metrics, with their tenancies: those that live, and those lost just now.

    A node that cannot reach central goes on reading with its last share.
    """
    statement = (
        select(nodes.c.id, node_state.c.tenancy)
        .join_from(nodes, node_state, node_state.c.node_id == nodes.c.id)
        .where(
            or_(
                nodes.c.status.in_(["ACTIVE", "ERROR"]),
                (nodes.c.status == "OFFLINE")
                & (node_state.c.received_at > func.now() - text("interval '1 hour'")),
            )
        )
        .order_by(nodes.c.id)
    )
    return [(row.id, row.tenancy) for row in connection.execute(statement)]
