"""Rollouts: which nodes they are about, how far they have come, and what the driver changes."""

from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from central.errors import ApiError, not_found
from central.patching import Chosen, Step
from central.store.audit import Actor
from central.tables import node_configurations as versions
from central.tables import nodes, pools
from central.tables_orders import rollout_nodes, rollouts
from central.tables_support import node_state
from shared.wire_edits import RolloutRequest

_OBSERVE = """
UPDATE rollout_nodes r SET state = seen.state, reason = seen.reason, finished_at = now()
FROM (
    SELECT p.id, f.state, f.reason FROM rollout_nodes p
    JOIN rollouts o ON o.id = p.rollout_id
    JOIN node_state s ON s.node_id = p.node_id
    JOIN nodes n ON n.id = p.node_id
    CROSS JOIN LATERAL (SELECT * FROM (VALUES
        (1, 'skipped', 'its configuration was changed by somebody else',
            s.active_hash IS DISTINCT FROM p.config_hash),
        (2, 'applied', NULL,
            s.running_hash = p.config_hash AND s.apply_status = 'applied'),
        (3, 'failed', 'it refused the configuration: '
            || COALESCE(s.apply_error, 'no reason given'), s.failed_hash = p.config_hash),
        (4, 'failed', 'it went ' || n.status, n.status IN ('OFFLINE', 'ERROR')),
        (5, 'failed', 'it has not applied the configuration within ' || o.deadline_seconds || ' s',
            p.pushed_at < now()::timestamp - make_interval(secs => o.deadline_seconds))
    ) AS v (rank, state, reason, holds) WHERE holds ORDER BY rank LIMIT 1) AS f
    WHERE p.rollout_id = :id AND p.state = 'pushed'
) AS seen WHERE r.id = seen.id
"""
_AGAIN = """
UPDATE rollout_nodes r SET state = CASE WHEN s.active_hash = r.config_hash THEN 'pushed'
        WHEN r.yaml_config IS NULL THEN 'skipped' ELSE 'waiting' END,
    reason = CASE WHEN s.active_hash <> r.config_hash AND r.yaml_config IS NULL
        THEN 'its configuration was changed by somebody else' END,
    finished_at = NULL,
    pushed_at = CASE WHEN s.active_hash = r.config_hash THEN now()::timestamp END
FROM node_state s WHERE s.node_id = r.node_id AND r.rollout_id = :id AND r.state = 'failed'
"""
_OFFER_AGAIN = """
UPDATE node_state s SET retry_offers = :offers FROM rollout_nodes r
WHERE r.node_id = s.node_id AND r.rollout_id = :id AND r.state = 'failed'
  AND s.active_hash = r.config_hash AND s.failed_hash = r.config_hash
"""


def choose(connection: Connection, request: RolloutRequest) -> list[Chosen]:
    """The nodes that a request is about, by name."""
    statement = (
        select(
            nodes.c.id,
            nodes.c.name,
            nodes.c.status,
            versions.c.config_hash.label("active_hash"),
            versions.c.yaml_config.label("text"),
            node_state.c.capabilities,
        )
        .join_from(nodes, node_state)
        .outerjoin(versions, (versions.c.node_id == nodes.c.id) & versions.c.is_active)
        .order_by(nodes.c.name)
    )
    if request.nodes:
        statement = statement.where(nodes.c.name.in_(request.nodes))
    if request.region is not None:
        statement = statement.where(nodes.c.region == request.region)
    rows = list(connection.execute(statement).mappings())
    sizes: dict[int, dict[str, int]] = {row["id"]: {} for row in rows}
    known = select(pools.c.node_id, pools.c.oracle_pool_id, pools.c.current_instances).where(
        pools.c.node_id.in_(sizes),
        pools.c.retired_at.is_(None),
        pools.c.last_analytics_at.is_not(None),
    )
    for node_id, ocid, size in connection.execute(known):
        sizes[node_id][ocid] = size or 0
    return [Chosen(**row, sizes=sizes[row["id"]]) for row in rows]


def start(connection: Connection, request: RolloutRequest, steps: list[Step], actor: Actor) -> int:
    """Store a rollout that runs from now on; returns its id."""
    made = insert(rollouts).values(
        edits=[edit.model_dump(mode="json") for edit in request.edits],
        batch=request.batch,
        allow_shrink=request.allow_shrink,
        deadline_seconds=request.deadline_seconds,
        stages=max(step.stage for step in steps),
        created_by=actor.user_id,
        created_by_email=actor.email,
        created_by_role=actor.role,
    )
    rollout_id = int(connection.execute(made.returning(rollouts.c.id)).scalar_one())
    rows = [
        {
            "rollout_id": rollout_id,
            "node_id": step.node_id,
            "stage": step.stage,
            "base_hash": step.base_hash,
            "config_hash": step.config_hash,
            "yaml_config": step.text,
        }
        for step in steps
    ]
    connection.execute(insert(rollout_nodes), rows)
    return rollout_id


def page(connection: Connection, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Rollouts, newest first, with the number of their nodes by state."""
    statement = select(rollouts).order_by(rollouts.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(rollouts.c.id < before)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    counts = select(rollout_nodes.c.rollout_id, rollout_nodes.c.state, func.count()).where(
        rollout_nodes.c.rollout_id.in_([row["id"] for row in rows])
    )
    found: dict[int, dict[str, int]] = {row["id"]: {} for row in rows}
    for rollout_id, state, count in connection.execute(
        counts.group_by(rollout_nodes.c.rollout_id, rollout_nodes.c.state)
    ):
        found[rollout_id][state] = count
    return [
        {**row, "counts": found[row["id"]], "created_by": row["created_by_email"]} for row in rows
    ]


def show(connection: Connection, rollout_id: int) -> dict[str, Any]:
    """One rollout with its nodes in their order.

    Raises:
        ApiError: 404 when there is none.
    """
    rows = page(connection, before=rollout_id + 1, limit=1)
    if not rows or rows[0]["id"] != rollout_id:
        raise not_found("rollout", rollout_id)
    statement = (
        select(rollout_nodes, nodes.c.name.label("node"))
        .join_from(rollout_nodes, nodes)
        .where(rollout_nodes.c.rollout_id == rollout_id)
        .order_by(rollout_nodes.c.stage, nodes.c.name)
    )
    return {**rows[0], "nodes": list(map(dict, connection.execute(statement).mappings()))}


def lock(connection: Connection, rollout_id: int) -> RowMapping:
    """A rollout, locked.

    Raises:
        ApiError: 404 when there is none.
    """
    statement = select(rollouts).where(rollouts.c.id == rollout_id).with_for_update()
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise not_found("rollout", rollout_id)
    return row


def move(
    connection: Connection, rollout_id: int, state: str, reason: str | None = None, *, was: str
) -> None:
    """Halt, resume or finish a rollout.

    Raises:
        ApiError: 404 when there is none; 409 when it is not in the state that it was thought to be.
    """
    row = lock(connection, rollout_id)
    if row["state"] != was:
        what = f"Rollout {rollout_id} is {row['state']}, not {was}."
        raise ApiError(409, "not_" + was, what)
    finished = func.now() if state == "done" else None
    connection.execute(
        update(rollouts)
        .where(rollouts.c.id == rollout_id)
        .values(state=state, reason=reason, finished_at=finished)
    )


def try_again(connection: Connection, rollout_id: int, offers: int) -> None:
    """Give the nodes that failed another chance."""
    connection.execute(text(_OFFER_AGAIN), {"id": rollout_id, "offers": offers})
    connection.execute(text(_AGAIN), {"id": rollout_id})


def running(connection: Connection) -> list[int]:
    """The rollouts that have something to do."""
    statement = select(rollouts.c.id).where(rollouts.c.state == "running").order_by(rollouts.c.id)
    return list(connection.execute(statement).scalars())


def observe(connection: Connection, rollout_id: int) -> None:
    """Note what became of the configurations that were pushed."""
    connection.execute(text(_OBSERVE), {"id": rollout_id})


def failures(connection: Connection, rollout_id: int) -> list[str]:
    """Each node that failed, with its reason."""
    statement = (
        select(nodes.c.name, rollout_nodes.c.reason)
        .join_from(rollout_nodes, nodes)
        .where(rollout_nodes.c.rollout_id == rollout_id, rollout_nodes.c.state == "failed")
        .order_by(nodes.c.name)
    )
    return [f"{name}: {reason}" for name, reason in connection.execute(statement)]


def pending(connection: Connection, rollout_id: int, stage: int) -> list[RowMapping]:
    """The nodes up to a stage that are not done, those to be pushed first."""
    statement = (
        select(rollout_nodes, nodes.c.name.label("node"), nodes.c.status)
        .join_from(rollout_nodes, nodes)
        .where(
            rollout_nodes.c.rollout_id == rollout_id,
            rollout_nodes.c.stage <= stage,
            rollout_nodes.c.state.in_(["waiting", "pushed"]),
        )
        .order_by(rollout_nodes.c.state.desc(), rollout_nodes.c.id)
        .limit(1)
    )
    return list(connection.execute(statement).mappings())


def mark(connection: Connection, row_id: int, state: str, reason: str | None = None) -> None:
    """Note what was done about a node; its text has served once it was pushed."""
    values: dict[str, Any] = {"state": state, "reason": reason}
    if state == "pushed":
        values |= {"pushed_at": func.now(), "yaml_config": None}
    else:
        values["finished_at"] = func.now()
    connection.execute(update(rollout_nodes).where(rollout_nodes.c.id == row_id).values(**values))


def advance(
    connection: Connection, rollout_id: int, *, terminated: int = 0, stage: int = 0
) -> None:
    """Count terminated instances, and stages that are done."""
    connection.execute(
        update(rollouts)
        .where(rollouts.c.id == rollout_id)
        .values(terminated=rollouts.c.terminated + terminated, stage=rollouts.c.stage + stage)
    )
