"""Enrolment tokens: made by operators, good for one node, kept by their SHA-256."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Connection, RowMapping, case, func, insert, select, text, update

from central.errors import ApiError, not_found
from central.store import node_keys, nodes
from central.store.audit import Actor
from central.tables import nodes as nodes_table
from central.tables_enrolment import enrolment_tokens as tokens
from central.tables_support import node_state
from central.tokens import Secret, digest, new_enrolment_token
from shared.wire_enrolment import Enrolment, NewEnrolmentToken

UNKNOWN = "The enrolment token is missing or unknown."
_state = case(
    (tokens.c.revoked_at.is_not(None), "revoked"),
    (tokens.c.used_at.is_not(None), "used"),
    (tokens.c.expires_at < func.now(), "expired"),
    else_="open",
).label("state")
_shown = (
    tokens.c.id,
    _state,
    tokens.c.name,
    tokens.c.region,
    tokens.c.replaces,
    tokens.c.created_at,
    tokens.c.created_by_email.label("created_by"),
    tokens.c.expires_at,
    tokens.c.used_at,
    tokens.c.node_name.label("node"),
)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The node that a machine has become, and the key that it is told once."""

    node_id: int
    region: str
    secret: Secret


def create(
    connection: Connection, wish: NewEnrolmentToken, maker: Actor
) -> tuple[RowMapping, Secret]:
    """Make a token; returns its row (id, expires_at) and its text, which is never stored."""
    secret = new_enrolment_token()
    expires = func.now() + text("make_interval(secs => :lasts)").bindparams(
        lasts=wish.expires_seconds
    )
    statement = (
        insert(tokens)
        .values(
            token_hash=secret.digest,
            name=wish.name,
            region=wish.region,
            replaces=wish.replaces,
            created_by=maker.user_id,
            created_by_email=maker.email,
            expires_at=expires,
        )
        .returning(tokens.c.id, tokens.c.expires_at)
    )
    return connection.execute(statement).mappings().one(), secret


def listed(connection: Connection, limit: int = 1000) -> list[dict[str, Any]]:
    """Tokens, newest first, without their hashes."""
    statement = select(*_shown).order_by(tokens.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(statement).mappings()]


def revoke(connection: Connection, token_id: int) -> dict[str, Any]:
    """Make a token useless; what it was used for stays. Returns it as it is now.

    Raises:
        ApiError: 404 when there is no such token.
    """
    statement = (
        update(tokens)
        .where(tokens.c.id == token_id)
        .values(revoked_at=func.coalesce(tokens.c.revoked_at, func.now()))
        .returning(*_shown)
    )
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise not_found("enrolment token", token_id)
    return dict(row)


def lock(connection: Connection, token: str) -> RowMapping:
    """The row of a token, whatever became of it; two uses at once wait for one another.

    Raises:
        ApiError: 401 there is no such token.
    """
    statement = select(tokens, _state).where(tokens.c.token_hash == digest(token)).with_for_update()
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise ApiError(401, "unauthorized", UNKNOWN)
    return row


def enrol(connection: Connection, row: RowMapping, asked: Enrolment) -> Enrolled:
    """Make a machine a node, once for each token (`lock`).

    The same token with the same nonce is a repeat whose first answer was lost: it gets a fresh key
    for the same node, until that node has been heard for the first time.

    Raises:
        ApiError: 403 expired, used, revoked, or not for this node; 409 the name is another node's.
    """
    if row["state"] == "used":
        return _repeat(connection, row, asked)
    if row["state"] != "open":
        what = "was revoked" if row["state"] == "revoked" else "has expired"
        raise ApiError(
            403, f"token_{row['state']}", f"The enrolment token {what}: ask for another."
        )
    region = _region_in_scope(row, asked)
    enrolled = _make(connection, row, asked, region)
    connection.execute(
        update(tokens)
        .where(tokens.c.id == row["id"])
        .values(
            used_at=func.now(),
            nonce_hash=digest(asked.nonce),
            node_id=enrolled.node_id,
            node_name=asked.name,
        )
    )
    return enrolled


def forget_old(connection: Connection) -> None:
    """Delete tokens that ended 90 days ago; the audit keeps what was done with them."""
    connection.execute(
        text(
            "DELETE FROM enrolment_tokens WHERE GREATEST(expires_at, used_at, revoked_at)"
            " < now() - interval '90 days'"
        )
    )


def _repeat(connection: Connection, row: RowMapping, asked: Enrolment) -> Enrolled:
    is_same = row["nonce_hash"] == digest(asked.nonce) and row["node_name"] == asked.name
    if row["node_id"] is None or not is_same or _was_heard(connection, row["node_id"]):
        used = f"The enrolment token was used already, for the node {row['node_name']}"
        raise ApiError(403, "token_used", f"{used}: ask for another.")
    return _with_fresh_key(connection, asked.name)


def _region_in_scope(row: RowMapping, asked: Enrolment) -> str | None:
    if row["name"] is not None and not fnmatchcase(asked.name, row["name"]):
        raise ApiError(
            403, "out_of_scope", f"The enrolment token is for {row['name']}, not for {asked.name}."
        )
    if row["region"] is not None and asked.region not in (None, row["region"]):
        raise ApiError(
            403, "out_of_scope", f"The enrolment token is for {row['region']}, not {asked.region}."
        )
    region: str | None = asked.region or row["region"]
    return region


def _make(
    connection: Connection, row: RowMapping, asked: Enrolment, region: str | None
) -> Enrolled:
    statement = select(nodes_table.c.id, nodes_table.c.region).where(
        nodes_table.c.name == asked.name
    )
    existing = connection.execute(statement).one_or_none()
    if existing is None:
        if region is None:
            raise ApiError(422, "invalid", "Name the node's region: the token is for any.")
        node_id, secret = nodes.create(connection, asked.name, region, None)
        return Enrolled(node_id, region, secret)
    if region not in (None, existing.region):
        sentence = f"The node {asked.name} is in {existing.region}, not in {region}."
        raise ApiError(403, "out_of_scope", sentence)
    is_meant = row["name"] == asked.name and (
        row["replaces"] or not _was_heard(connection, existing.id)
    )
    if not is_meant:
        sentence = f"There is already a node {asked.name!r}: a token with --replace would renew it."
        raise ApiError(409, "exists", sentence)
    return _with_fresh_key(connection, asked.name)


def _was_heard(connection: Connection, node_id: int) -> bool:
    statement = select(node_state.c.received_at).where(node_state.c.node_id == node_id)
    return connection.execute(statement).scalar_one_or_none() is not None


def _with_fresh_key(connection: Connection, name: str) -> Enrolled:
    node_keys.revoke(connection, name, keep_newest=False)
    secret, _ = node_keys.rotate(connection, name, 0)
    statement = select(nodes_table.c.id, nodes_table.c.region).where(nodes_table.c.name == name)
    node = connection.execute(statement).one()
    return Enrolled(node.id, node.region, secret)
