"""Causes of failed OCI calls that need no answer from OCI, and what an answer's headers tell."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from agent.errors import Cause
from agent.oci_calls import Call

ALLOWED_SKEW_SECONDS = 300.0
_MOST_SECONDS = 1800.0


def unsigned(call: Call, message: str) -> Cause:
    """There is nothing to sign the request with; it was not sent."""
    text = f"no OCI credentials: {message}"
    return Cause(call.operation, text, code="AuthUnavailable", certainty="not_sent")


def unsent(call: Call, message: str) -> Cause:
    """There was no connection; it was not sent."""
    return Cause(call.operation, message, code="Unreachable", certainty="not_sent", retry=True)


def late(call: Call, message: str) -> Cause:
    """It was sent, or may have been, and no whole answer came in time."""
    return Cause(call.operation, message, code="Timeout", certainty="unknown", retry=True)


def held_back(call: Call) -> Cause:
    """This node's share of the tenancy's requests is used up for longer than a call may take."""
    text = "this node's share of the tenancy's requests is used up; a later tick asks again"
    return Cause(call.operation, text, code="HeldBack", certainty="not_sent", retry=True)


def paused(call: Call, seconds: float) -> Cause:
    """The service keeps failing, so it was not sent."""
    return Cause(
        call.operation,
        f"{call.service.name} in {call.region} keeps failing; again in {seconds:.0f} s",
        code="CircuitOpen",
        certainty="not_sent",
        retry=True,
    )


def seconds_ahead(date: str | None, now: datetime) -> float | None:
    """Return how far this node's clock is ahead of an answer's Date; None: it tells none."""
    try:
        return (now - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError):
        return None


def skew(date: str | None, now: datetime) -> str:
    """Explain a 401 by this node's clock, from the Date of the answer; empty when it is right.

    Oracle accepts five minutes either way.
    """
    seconds = seconds_ahead(date, now)
    if seconds is None or abs(seconds) <= ALLOWED_SKEW_SECONDS:
        return ""
    way = "ahead of" if seconds > 0 else "behind"
    return f" This node's clock is {abs(seconds):.0f} s {way} Oracle's; 300 s are allowed."


def retry_after(header: str | None) -> float | None:
    """Read Retry-After in seconds, bounded to half an hour; None when it is no use."""
    try:
        return min(max(float(header or ""), 0.0), _MOST_SECONDS)
    except ValueError:
        return None
