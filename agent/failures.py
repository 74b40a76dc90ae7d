"""What failed writes mean, and how long a pool's writes wait after them."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from agent.state import Backoff

_CAPACITY_CODES = frozenset(
    {
        "LimitExceeded",
        "QuotaExceeded",
        "OutOfCapacity",
        "OutOfHostCapacity",
        "ServiceLimit",
        "ServiceLimitExceeded",
        "InsufficientServiceLimits",
        "TooManyInstances",
    }
)
_CAPACITY_TEXT = re.compile(
    r"out of (host )?capacity|(limit|quota)s? (has been |have been |was |were |is )?exceed"
    r"|exceed\w* (the )?[\w ]*(limit|quota)|insufficient (capacity|service limit)",
    re.IGNORECASE,
)
_GROWTH_FIRST, _GROWTH_MOST = timedelta(minutes=5), timedelta(minutes=30)
_WRITE_FIRST, _WRITE_MOST = timedelta(minutes=1), timedelta(minutes=30)


def is_capacity(code: str, message: str) -> bool:
    """Say whether OCI has no room, or a limit or quota stands in the way.

    Out of host capacity arrives as 500 InternalError or as a work request's error, and codes
    differ between both, so the message counts too. (Kubernetes autoscaler, OCI instance pools.)
    """
    return code in _CAPACITY_CODES or _CAPACITY_TEXT.search(message) is not None


def capacity_failed(backoff: Backoff, code: str, now: datetime, *, needed: int) -> Backoff:
    """Let growth wait: 5 minutes, then twice as long each time, at most 30.

    Args:
        backoff: as it was.
        code: what OCI said.
        now: of the tick.
        needed: how many running instances will prove that there is capacity again.
    """
    failures = backoff.capacity_failures + 1
    return replace(
        backoff,
        capacity_failures=failures,
        needed=needed,
        scale_out_until=now + _doubled(_GROWTH_FIRST, failures, _GROWTH_MOST),
        code=code or "OutOfCapacity",
    )


def write_failed(backoff: Backoff, code: str, now: datetime) -> Backoff:
    """Let every write of the pool wait: 1 minute, then twice as long each time, at most 30."""
    failures = backoff.write_failures + 1
    return replace(
        backoff,
        write_failures=failures,
        writes_until=now + _doubled(_WRITE_FIRST, failures, _WRITE_MOST),
        code=code,
    )


def write_succeeded(backoff: Backoff) -> Backoff:
    """Forget failed writes; capacity is only proven by instances that run."""
    return replace(backoff, write_failures=0, writes_until=None)


def capacity_proven(backoff: Backoff) -> Backoff:
    """Forget capacity failures: the pool has what was asked for."""
    return replace(backoff, capacity_failures=0, scale_out_until=None, needed=0)


def _doubled(first: timedelta, failures: int, most: timedelta) -> timedelta:
    doublings: int = 2 ** min(failures - 1, 10)
    return min(first * doublings, most)
