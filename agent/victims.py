"""Who goes when a pool shrinks although some of its members must stay.

Oracle removes the oldest member of the fullest fault domain and knows no protection (Oracle,
"Updating the Size of an Instance Pool"). So a pool with a member to spare is shrunk by detaching
one chosen member at a time, terminated along with it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from agent.pools import Instance

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_LEAVING = frozenset({"TERMINATING", "TERMINATED"})


def spared(protected: Collection[str], own_instance: str | None) -> frozenset[str]:
    """Return the instances that must stay: those the YAML protects, and the agent's own."""
    return frozenset(protected) | ({own_instance} if own_instance else frozenset())


def needs_choice(members: Sequence[Instance], stay: Collection[str]) -> bool:
    """Say whether Oracle's own choice could hit a member that must stay."""
    return any(member.id in stay for member in members)


def choose(members: Sequence[Instance], stay: Collection[str]) -> Instance | None:
    """Return the oldest member that may go, or None when all must stay."""
    free = [m for m in members if m.id not in stay and m.state.upper() not in _LEAVING]
    return min(free, key=lambda m: (m.created_at or _LONG_AGO, m.id), default=None)
