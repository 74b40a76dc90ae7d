"""Configurations: every push is a new version, one of them is active."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from central import blast
from central.errors import ApiError, not_found
from central.store import nodes, projection
from central.store.audit import Actor
from central.tables import node_configurations as versions
from central.tables import pools
from central.tables_support import node_state
from shared.config.capabilities import told, unknown_keys
from shared.config.hashing import config_hash
from shared.config.models import Config
from shared.config.problems import ConfigError, render_path

RETRY_OFFERS = 3


@dataclass(frozen=True, slots=True)
class Push:
    """A configuration to activate on a node, and what the operator agreed to.

    `renews`: a new version even of the text that is active already.

    `expected_hash` is the active hash the operator has seen (None: whatever it is);
    `allow_shrink` the number of instances that may be terminated at once by it.
    """

    node: str
    text: str
    config: Config
    expected_hash: str | None = None
    allow_shrink: int = 0
    take_over: bool = False
    rollback_of: int | None = None
    renews: bool = False


@dataclass(frozen=True, slots=True)
class Activated:
    """The version that is active after a push."""

    config_hash: str
    generation: int
    changed: bool
    pools: list[str]
    retired: list[str]
    taken: list[str]
    terminated: int = 0


def activate(connection: Connection, push: Push, actor: Actor) -> Activated:
    """Store a version, make it the active one, and project its pools and schedules.

    Raises:
        ApiError: 404 unknown node; 409 pool of another node, an agent that is too old for a key,
            or too many instances terminated; 412 the active hash is not the expected one.
    """
    ocids = [pool.instance_pool_id for pool in push.config.pools]
    locked = nodes.lock_with_owners(connection, push.node, ocids)
    state = next(iter(locked.values()))
    node_id, hashed = state["node_id"], config_hash(push.text)
    if push.expected_hash is not None and push.expected_hash != (state["active_hash"] or ""):
        raise ApiError(
            412,
            "changed",
            f"The configuration of {push.node} was changed by somebody else: its hash is "
            f"{state['active_hash'] or 'none'} now. Pull it and merge.",
        )
    _check_agent(push, state)
    stored = projection.existing(connection, push.config)
    if not {row["node_id"] for row in stored.values()} <= locked.keys():
        raise ApiError(409, "changed", "A pool was just given to another node: push again.")
    taken = projection.check_ownership(node_id, push.config, stored, take_over=push.take_over)
    now = connection.execute(select(func.now())).scalar_one()
    terminated = _check_blast_radius(push, stored, now)
    changed = hashed != state["active_hash"]
    generation = state["active_generation"]
    if changed or generation is None or push.renews:
        generation = _next_generation(connection, state)
        _insert(connection, node_id, hashed, generation, push, actor)
    projected = projection.project(connection, node_id, push.config, taken)
    names = [row["oracle_pool_id"] for row in taken]
    return Activated(
        hashed, generation, changed, projected.pools, projected.retired, names, terminated
    )


def active(connection: Connection, node: str) -> RowMapping:
    """The active version of a node with its text.

    Raises:
        ApiError: 404 unknown node, or one without a configuration.
    """
    row = active_or_none(connection, nodes.id_of(connection, node))
    if row is None:
        raise ApiError(404, "no_config", f"Node {node} has no configuration yet: push one.")
    return row


def active_or_none(connection: Connection, node_id: int) -> RowMapping | None:
    """The active version of a node with its text; None before the first push."""
    statement = select(versions).where(versions.c.node_id == node_id, versions.c.is_active)
    return connection.execute(statement).mappings().one_or_none()


def version(connection: Connection, node: str, generation: int) -> RowMapping:
    """One version of a node with its text.

    Raises:
        ApiError: 404 unknown node or generation.
    """
    node_id = nodes.id_of(connection, node)
    statement = select(versions).where(
        versions.c.node_id == node_id, versions.c.generation == generation
    )
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise not_found(f"generation of {node}'s configuration", generation)
    return row


def history(
    connection: Connection, node: str, *, before: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """A node's versions, newest first, without their text."""
    node_id = nodes.id_of(connection, node)
    statement = (
        select(
            versions.c.generation,
            versions.c.config_hash,
            versions.c.is_active,
            versions.c.created_at,
            versions.c.created_by_email.label("created_by"),
            versions.c.rollback_of,
            func.octet_length(versions.c.yaml_config).label("size"),
        )
        .where(versions.c.node_id == node_id)
        .order_by(versions.c.generation.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(versions.c.generation < before)
    return [dict(row) for row in connection.execute(statement).mappings()]


def text_of_hash(connection: Connection, hashed: str) -> str | None:
    """The exact text behind a hash."""
    statement = select(versions.c.yaml_config).where(versions.c.config_hash == hashed).limit(1)
    return connection.execute(statement).scalar_one_or_none()


def retry(connection: Connection, node: str) -> str:
    """Offer the active configuration again to a node that refused it; returns its hash.

    Raises:
        ApiError: 404 unknown node; 409 when the node did not refuse its active configuration.
    """
    state = nodes.lock(connection, node)
    if state["active_hash"] is None or state["failed_hash"] != state["active_hash"]:
        raise ApiError(409, "not_failed", f"Node {node} has not refused its active configuration.")
    connection.execute(
        update(node_state)
        .where(node_state.c.node_id == state["node_id"])
        .values(retry_offers=RETRY_OFFERS)
    )
    return str(state["active_hash"])


def _next_generation(connection: Connection, state: RowMapping) -> int:
    """Above every version stored, and above what the agent has already applied elsewhere."""
    statement = select(func.max(versions.c.generation)).where(
        versions.c.node_id == state["node_id"]
    )
    newest = connection.execute(statement).scalar_one() or 0
    return int(max(newest, state["reported_generation"])) + 1


def _insert(
    connection: Connection,
    node_id: int,
    hashed: str,
    generation: int,
    push: Push,
    actor: Actor,
) -> None:
    connection.execute(
        update(versions)
        .where(versions.c.node_id == node_id, versions.c.is_active)
        .values(is_active=False)
    )
    connection.execute(
        insert(versions).values(
            node_id=node_id,
            yaml_config=push.text,
            config_hash=hashed,
            generation=generation,
            rollback_of=push.rollback_of,
            created_by=actor.user_id,
            created_by_email=actor.email,
        )
    )
    connection.execute(
        update(node_state)
        .where(node_state.c.node_id == node_id)
        .values(active_hash=hashed, active_generation=generation, retry_offers=0)
    )


def _check_agent(push: Push, state: RowMapping) -> None:
    """Refuse keys that the node's agent, by its last heartbeat, could not read."""
    unknown = unknown_keys(push.config, state["capabilities"])
    if unknown:
        raise ApiError(
            409,
            "too_old",
            f"The agent of {push.node} ({state['agent_version']}) does not know "
            f"{told(unknown)}: upgrade it first, or leave that out.",
            details=[{"path": render_path(location)} for location in unknown],
        )


def _check_blast_radius(push: Push, stored: dict[str, RowMapping], now: datetime) -> int:
    """Refuse to terminate instances that the operator did not agree to lose; return how many."""
    found = blast.losses(push.config, sizes_of(stored), now)
    total = sum(loss.lost for loss in found)
    if total > push.allow_shrink:
        raise ApiError(
            409,
            "shrinks",
            f"This configuration terminates {blast.told(found)} now: add --allow-shrink {total} "
            "if that is meant.",
            details=[{"pool": x.pool, "terminates": x.lost, "of": x.size} for x in found],
        )
    return total


def sizes_of(stored: dict[str, RowMapping]) -> dict[str, int]:
    """The newest reported sizes of pools that are stored, by OCID."""
    return {
        ocid: row["current_instances"] or 0
        for ocid, row in stored.items()
        if row["last_analytics_at"] is not None  # before, the stored size is only a default
    }


def pool_sizes(connection: Connection, node: str) -> dict[str, int]:
    """The newest reported size of each of a node's pools, by OCID."""
    statement = select(pools.c.oracle_pool_id, pools.c.current_instances).where(
        pools.c.node_id == nodes.id_of(connection, node),
        pools.c.retired_at.is_(None),
        pools.c.last_analytics_at.is_not(None),
    )
    return {row[0]: row[1] or 0 for row in connection.execute(statement)}


def unusable(error: ConfigError) -> ApiError:
    """The refusal of a text that is no usable configuration: every problem with its place."""
    count = len(error.problems)
    first = error.problems[0] if error.problems else error
    sentence = f"The configuration has {count} problem{'s' * (count != 1)}: {first}"
    details = [
        {"line": p.line, "column": p.column, "path": p.path, "message": p.message}
        for p in error.problems
    ]
    return ApiError(422, "invalid_config", sentence, details)
