"""Configurations that agents send because they were asked for them: kept until they are decided."""

from central.ingest.model import NodeState, Reply
from central.ingest.sql import Cursor

_KEEP = """
WITH sent AS (
    UPDATE config_adoptions a SET state = 'sent', yaml_config = u.text
    FROM unnest(%s::int[], %s::text[]) AS u (node_id, text)
    WHERE a.node_id = u.node_id AND a.state = 'asked' RETURNING a.node_id
)
UPDATE node_state s SET wants_config = false FROM sent WHERE s.node_id = sent.node_id
"""


def keep_configs(cursor: Cursor, replies: list[Reply], nodes: dict[int, NodeState]) -> None:
    """Keep what was sent with the newest heartbeats; whether it is adopted is decided later."""
    found = {}
    for reply in replies:
        sent = reply.submission.beat.running_config
        if sent is not None and nodes[reply.submission.node_id].newest is reply.submission:
            found[reply.submission.node_id] = sent
            reply.wants_config = False
    if found:
        cursor.execute(_KEEP, (list(found), list(found.values())))
