"""Asking a node for the configuration it runs, and what became of it."""

from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert

from central.errors import ApiError
from central.store import nodes
from central.store.audit import Actor
from central.tables import nodes as nodes_table
from central.tables_orders import config_adoptions as adoptions
from central.tables_support import node_state

CAPABILITY = "running_config"


def ask(connection: Connection, node: str, actor: Actor, *, take_over: bool) -> None:
    """Ask the node's agent for its configuration with the next answer.

    Raises:
        ApiError: 404 unknown node; 409 its agent is not heard, is too old, or runs none.
    """
    state = nodes.lock(connection, node)
    status = nodes.show(connection, node)["status"]
    if status not in ("ACTIVE", "ERROR"):
        raise ApiError(409, "silent", f"Node {node} is {status}: its agent cannot be asked.")
    if CAPABILITY not in state["capabilities"]:
        what = f"The agent of {node} ({state['agent_version']}) is too old to send what it runs"
        raise ApiError(409, "too_old", f"{what}: upgrade it, or push its file.")
    if state["running_hash"] is None:
        raise ApiError(409, "no_config", f"Node {node} runs no configuration: push one.")
    values = {
        "state": "asked",
        "take_over": take_over,
        "base_hash": state["active_hash"],
        "requested_at": func.now(),
        "requested_by": actor.user_id,
        "requested_by_email": actor.email,
        "requested_by_role": actor.role,
        **dict.fromkeys(("reason", "yaml_config", "config_hash", "generation", "finished_at")),
    }
    statement = insert(adoptions).values(node_id=state["node_id"], **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["node_id"], set_=values))
    connection.execute(
        update(node_state).where(node_state.c.node_id == state["node_id"]).values(wants_config=True)
    )


def show(connection: Connection, node: str) -> dict[str, Any]:
    """The newest adoption of a node.

    Raises:
        ApiError: 404 unknown node, or one that was never asked.
    """
    statement = select(adoptions).where(adoptions.c.node_id == nodes.id_of(connection, node))
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise ApiError(404, "not_found", f"Node {node} was not asked for its configuration.")
    return {**row, "node": node}


def sent(connection: Connection) -> RowMapping | None:
    """One configuration that was sent and is not decided."""
    statement = (
        select(adoptions, nodes_table.c.name.label("node"), node_state.c.running_hash)
        .join_from(adoptions, nodes_table)
        .join(node_state, node_state.c.node_id == adoptions.c.node_id)
        .where(adoptions.c.state == "sent")
        .order_by(adoptions.c.node_id)
        .limit(1)
    )
    return connection.execute(statement).mappings().one_or_none()


def decide(
    connection: Connection, node_id: int, state: str, reason: str | None, **values: Any
) -> None:
    """Note what became of what was sent; unless the node was asked again meanwhile."""
    connection.execute(
        update(adoptions)
        .where(adoptions.c.node_id == node_id, adoptions.c.state == "sent")
        .values(state=state, reason=reason, yaml_config=None, finished_at=func.now(), **values)
    )
