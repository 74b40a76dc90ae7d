"""For how long history is kept: the policy that the retention job follows."""

from sqlalchemy import Connection, select, update

from central.tables_rollup import retention_policy as policy


def kept(connection: Connection) -> dict[str, int]:
    """Days by kind of history."""
    rows = connection.execute(select(policy.c.kind, policy.c.days).order_by(policy.c.kind))
    return {row.kind: row.days for row in rows}


def keep(connection: Connection, kind: str, days: int) -> None:
    """Keep a kind of history for so many days from now on."""
    connection.execute(update(policy).where(policy.c.kind == kind).values(days=days))
