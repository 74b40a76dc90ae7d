"""How long to wait before a call to OCI is made again."""

import random

from agent.errors import Cause

_THROTTLED = 429


def wait_before_retry(cause: Cause, attempt: int, left: float, jitter: random.Random) -> float:
    """Return seconds to wait after a failed attempt.

    After an error a short wait with full jitter is enough. A 429 means that others ask at the same
    instant, as ticks of a whole fleet do: then the wait spreads over most of what is left of the
    call's time, so that the next round does not meet again.

    Args:
        cause: why it failed.
        attempt: 1 after the first try.
        left: seconds until the call is given up.
        jitter: the source of chance.
    """
    most = 0.8 * max(0.0, left) if cause.status == _THROTTLED else 0.25 * 2.0**attempt
    return max(jitter.uniform(0, most), cause.retry_after or 0)
