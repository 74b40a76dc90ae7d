"""What is wrong now; `central.notify.watch` keeps it up to date."""

from typing import Any

from sqlalchemy import Connection, select

from central.tables import nodes
from central.tables_orders import conditions


def page(connection: Connection, *, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Conditions, the youngest first, below the id `before`."""
    statement = (
        select(conditions, nodes.c.name.label("node"))
        .outerjoin_from(conditions, nodes, nodes.c.id == conditions.c.node_id)
        .order_by(conditions.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(conditions.c.id < before)
    return [dict(row) for row in connection.execute(statement).mappings()]
