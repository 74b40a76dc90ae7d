"""Numbers, durations and instants in the sentences that operators read."""

from datetime import datetime, timedelta


def amount(value: float, *, percent: bool = False) -> str:
    """A metric value with at most four significant digits, and its unit."""
    text = f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{text} %" if percent else text


def span(length: timedelta) -> str:
    """A duration in the two largest units that matter: `4 min`, `1 h 30 min`, `45 s`."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def instances(count: int) -> str:
    """`1 instance`, `3 instances`."""
    return f"{count} instance" if count == 1 else f"{count} instances"


def clock(at: datetime) -> str:
    """An instant as UTC, to the minute unless the seconds matter."""
    return f"{at:%Y-%m-%d %H:%M}Z" if at.second == 0 else f"{at:%Y-%m-%d %H:%M:%S}Z"
