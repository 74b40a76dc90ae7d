"""Requests that carry a retry token: the first answer is given again and nothing happens twice."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

from simulator.calls import Call
from simulator.errors import invalid, invalidated_retry_token
from simulator.replies import Reply

KEPT = timedelta(hours=24)


def once(call: Call, apply: Callable[[Call], Reply]) -> Reply:
    """Apply a request, or return what it was answered when its token was used already.

    The digest covers operation, pool and body: the same token with another request is refused.
    """
    token = call.headers.get("opc-retry-token")
    if token is None:
        return apply(call)
    if not 1 <= len(token) <= 64:
        raise invalid("opc-retry-token must have 1 to 64 characters")
    request = (apply.__name__, call.path["instancePoolId"])
    digest = hashlib.sha256("\0".join(request).encode() + b"\0" + call.body).hexdigest()
    key = (call.principal.key_id, token)
    used = call.world.retry_tokens.get(key)
    if used is not None and call.wall - used[0] < KEPT:
        if used[1] != digest:
            raise invalidated_retry_token()
        return used[2]
    reply = apply(call)
    call.world.retry_tokens[key] = (call.wall, digest, reply)
    return reply
