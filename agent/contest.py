"""Somebody else who undoes what this agent does: after the second time it lets the pool be. Pure.

A size that somebody else sets is adopted. It is a contest when it goes against our own newest
change, within a cooldown of it: twice in a row, and the pool is only observed, for an hour or until
a new configuration arrives. A change of ours that stood for a whole cooldown starts the count anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.journal import Intent
from shared.config.models import Pool
from shared.engine.model import Memory

MOST_OPPOSED = 2
LEAST_WINDOW = timedelta(minutes=5)
HANDS_OFF = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Contest:
    """How often in a row somebody went against us, and until when the pool is left to them.

    Attributes:
        opposed: changes against our own.
        newest_at: when the newest of them was seen.
        until: the pool is observed until then; None while nobody contends for it.
    """

    opposed: int = 0
    newest_at: datetime | None = None
    until: datetime | None = None

    def is_on(self, now: datetime) -> bool:
        """Whether the pool is contended at `now`."""
        return self.until is not None and now < self.until

    def opposed_once_more(self, now: datetime) -> "Contest":
        """Count a change that goes against ours; the second one makes a contest of it."""
        times = self.opposed + 1
        if times < MOST_OPPOSED:
            return Contest(times, now)
        return Contest(0, now, now + HANDS_OFF)


def window(pool: Pool) -> timedelta:
    """How soon after a change of ours somebody else's is held against it: its longer cooldown."""
    return max(pool.cooldown.scale_out, pool.cooldown.scale_in, LEAST_WINDOW)


def stood_for(ours: Intent, memory: Memory, now: datetime) -> timedelta:
    """How long our newest change has stood since it settled, as cooldowns count it."""
    if memory.change is not None:
        return timedelta(0)
    settled = memory.settled_at
    return now - (ours.at if settled is None else max(ours.at, settled))


def goes_against(ours: Intent, size: int) -> bool:
    """Whether a size undoes our newest change, in part or wholly."""
    return (size - ours.to) * (ours.to - ours.before) < 0
