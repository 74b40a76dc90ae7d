"""How far each of a node's streams of records was stored."""

from sqlalchemy import Connection, text


def forget_old(connection: Connection) -> None:
    """Delete cursors that nothing has moved for 30 days, except that of a node's present stream.

    A stream ends with the outbox that made it: a node set up anew begins another.
    """
    connection.execute(
        text("""
            DELETE FROM stream_cursors c USING node_state s
            WHERE s.node_id = c.node_id AND c.stream_id IS DISTINCT FROM s.stream_id
              AND c.updated_at < now() - interval '30 days'
        """)
    )
