"""Taking a node out: for a while (maintenance), or for good with all of its history."""

from typing import Any

from sqlalchemy import Connection, Engine, TextClause, delete, text, update

from central.errors import ApiError
from central.store import node_keys, nodes
from central.tables import nodes as nodes_table
from central.tables_support import node_state

BATCH = 10_000
MOST_COUNTED = 100_000
# what a node may have millions of: table, its key, the condition that finds them by an index
_HISTORY = (
    ("metrics", "id, received_at", "node_id = :node"),
    ("node_heartbeats", "id, received_at", "node_id = :node"),
    ("pool_analytics", "id, received_at", "node_id = :node"),
    ("metrics_5m", "node_id, pool_id, metric_type, bucket", "node_id = :node"),
    ("metrics_1h", "node_id, pool_id, metric_type, bucket", "node_id = :node"),
    ("pool_analytics_5m", "pool_id, bucket", "pool_id = ANY(:pools)"),
    ("pool_analytics_1h", "pool_id, bucket", "pool_id = ANY(:pools)"),
)
_MAINTENANCE = """
UPDATE node_state SET maintenance = :on, deadline_at = CASE WHEN deadline_at IS NULL THEN NULL
    ELSE GREATEST(deadline_at, now() + make_interval(secs => 3 * assigned_interval + 15)) END
WHERE node_id = :node
"""
_LOGGED = """
INSERT INTO node_lifecycle_logs (node_id, event_type, previous_status, new_status, reason,
    triggered_by)
SELECT id, :event, status::text, status::text, :reason, 'manual' FROM nodes WHERE id = :node
"""


def set_maintenance(connection: Connection, name: str, *, on: bool, reason: str | None) -> bool:
    """Whether silence of a node is expected; returns False when it was so already.

    At the end the node gets a whole deadline to be heard from again.

    Raises:
        ApiError: 404 when there is no such node.
    """
    state = nodes.lock(connection, name)
    if state["maintenance"] == on:
        return False
    connection.execute(text(_MAINTENANCE), {"on": on, "node": state["node_id"]})
    event = "MAINTENANCE_BEGAN" if on else "MAINTENANCE_ENDED"
    values = {"event": event, "reason": reason, "node": state["node_id"]}
    connection.execute(text(_LOGGED), values)
    return True


def weigh(connection: Connection, name: str) -> tuple[list[str], int]:
    """What would go with a node: the names of its pools, and how many rows of history.

    Rows are counted up to `MOST_COUNTED` a table; who has more has waited long enough.

    Raises:
        ApiError: 404 when there is no such node.
    """
    node_id = nodes.id_of(connection, name)
    found = connection.execute(
        text("SELECT id, name FROM pools WHERE node_id = :node ORDER BY name"), {"node": node_id}
    ).all()
    values = {"node": node_id, "pools": [row.id for row in found], "most": MOST_COUNTED}
    rows = 0
    for table, _, condition in _HISTORY:
        counted = text(
            f"SELECT count(*) FROM (SELECT 1 FROM {table} "  # noqa: S608 # the constants above
            f"WHERE {condition} LIMIT :most) AS counted"
        )
        rows += int(connection.execute(counted, values).scalar_one())
    return [row.name for row in found], rows


def begin_delete(connection: Connection, name: str, confirm: str) -> int:
    """Make a node's keys useless, so that nothing is added while it is deleted; returns its id.

    Raises:
        ApiError: 404 when there is no such node, 422 when its name was not typed again.
    """
    node_id = nodes.id_of(connection, name)
    if confirm != name:
        raise ApiError(422, "unconfirmed", f"To delete the node {name!r}, confirm with its name.")
    node_keys.revoke(connection, name, keep_newest=False)
    quiet = update(node_state).where(node_state.c.node_id == node_id).values(deadline_at=None)
    connection.execute(quiet)
    return node_id


def finish_delete(engine: Engine, node_id: int) -> None:
    """Delete a node's history in batches, each its own short transaction, and then the node.

    Interrupted, it may be called again.
    """
    with engine.connect() as connection:
        found = connection.scalars(
            text("SELECT id FROM pools WHERE node_id = :node"), {"node": node_id}
        )
        values = {"node": node_id, "pools": list(found), "batch": BATCH}
    for table, key, condition in _HISTORY:
        statement = text(
            f"DELETE FROM {table} WHERE ({key}) IN "  # noqa: S608 # the constants above
            f"(SELECT {key} FROM {table} WHERE {condition} LIMIT :batch)"
        )
        while _count(engine, statement, values) == BATCH:
            pass
    with engine.begin() as connection:
        connection.execute(delete(nodes_table).where(nodes_table.c.id == node_id))


def _count(engine: Engine, statement: TextClause, values: dict[str, Any]) -> int:
    with engine.begin() as connection:
        return connection.execute(statement, values).rowcount
