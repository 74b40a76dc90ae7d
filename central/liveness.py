"""When a node counts as alive: formulas and the table of transitions. Pure."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ACTIVE", "INACTIVE", "ERROR", "OFFLINE"]
GRACE_SECONDS = 15.0
MISSED_HEARTBEATS = 3
LONGEST_INTERVAL_SECONDS = 300.0
LONGEST_BACKOFF_SECONDS = 900.0
AMNESTY_FACTOR = 4.0
TARGET_RATE = 200.0  # heartbeats per second for one deployment

# (before, after a heartbeat) -> the event in node_lifecycle_logs; no entry: nothing happened
EVENTS: dict[tuple[Status, Status], str] = {
    ("INACTIVE", "ACTIVE"): "ACTIVATED",
    ("INACTIVE", "ERROR"): "ACTIVATED",
    ("ACTIVE", "ERROR"): "AGENT_ERROR",
    ("ERROR", "ACTIVE"): "RECOVERED",
    ("OFFLINE", "ACTIVE"): "CAME_ONLINE",
    ("OFFLINE", "ERROR"): "CAME_ONLINE",
    ("ACTIVE", "INACTIVE"): "STOPPED",
    ("ERROR", "INACTIVE"): "STOPPED",
    ("OFFLINE", "INACTIVE"): "STOPPED",
    ("ACTIVE", "OFFLINE"): "WENT_OFFLINE",
    ("ERROR", "OFFLINE"): "WENT_OFFLINE",
}


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of nodes.status and the event that records it."""

    previous: Status
    new: Status
    event: str


def after_heartbeat(current: Status, *, healthy: bool, goodbye: bool) -> Transition | None:
    """What a heartbeat makes of a node's status; None when it stays as it is."""
    new: Status = "INACTIVE" if goodbye else "ACTIVE" if healthy else "ERROR"
    event = EVENTS.get((current, new))
    return None if event is None else Transition(current, new, event)


def assigned_interval(base: float, nodes: int, *, target_rate: float = TARGET_RATE) -> float:
    """Seconds between a node's heartbeats, so that `nodes` of them stay below the target rate."""
    return max(base, min(nodes / target_rate, LONGEST_INTERVAL_SECONDS))


def reconnect_window(nodes: int, *, target_rate: float = TARGET_RATE) -> float:
    """Seconds over which agents spread their first try after a lost connection."""
    return min(max(2 * nodes / target_rate, 10.0), 120.0)


def silence_allowed(interval: float) -> float:
    """Seconds from a heartbeat to the deadline by which the next must have come."""
    return MISSED_HEARTBEATS * interval + GRACE_SECONDS


def amnesty(longest_interval: float, outage: float) -> float:
    """Seconds after an outage of central in which nobody is declared offline.

    An agent's waits double on average with the outage (U(0, 2 s × 2^k), at most 15 minutes), so the
    one that is under way when central returns may be several times as long as the outage was. With
    four times the outage, fewer than one agent in a thousand comes back after the amnesty.
    """
    return silence_allowed(longest_interval) + min(AMNESTY_FACTOR * outage, LONGEST_BACKOFF_SECONDS)


def is_mass_failure(overdue: int, expected: int) -> bool:
    """Whether so many nodes are silent that central or its network is the likelier culprit."""
    return overdue >= 3 and overdue >= 0.55 * expected
