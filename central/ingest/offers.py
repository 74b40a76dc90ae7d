"""Successors of node keys: minted for the answer that brings them, stored as hashes only."""

from central.ingest.model import NodeState, Reply
from central.ingest.sql import Cursor
from central.tokens import new_node_key

# Whoever did not get the one before, because its answer was lost, gets this one instead.
OFFER = """
INSERT INTO node_keys (node_id, key_hash, candidate)
SELECT node_id, key_hash, true FROM unnest(%s::int[], %s::text[]) AS u (node_id, key_hash)
ON CONFLICT (node_id) WHERE candidate
DO UPDATE SET key_hash = EXCLUDED.key_hash, created_at = now(), expires_at = NULL, revoked_at = NULL
"""


def offer_successors(cursor: Cursor, replies: list[Reply], nodes: dict[int, NodeState]) -> None:
    """Give a successor to each node whose key is to be renewed, in the reply to its newest beat.

    A second agent on the same key gets none: it would undo the first one's.
    """
    minted = []
    for reply in replies:
        node = nodes[reply.submission.node_id]
        if node.rotates_key and node.newest is reply.submission:
            secret = new_node_key(node.node_id)
            reply.next_api_key = secret.text
            minted.append((node.node_id, secret.digest))
    if minted:
        cursor.execute(OFFER, ([node for node, _ in minted], [key for _, key in minted]))
