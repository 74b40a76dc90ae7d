"""Sees when somebody else sizes a pool against this agent, and takes its hands off."""

import logging
from dataclasses import replace

from agent.contest import Contest, goes_against, stood_for, window
from agent.errors import CallError
from agent.journal import Journal
from agent.observe import ref_of
from agent.pools import Pools
from agent.restraints import Restraint
from agent.state import PoolNotes
from agent.turn import Turn

log = logging.getLogger(__name__)


class Referee:
    """Counts changes of others that go against our own; see `agent.contest`."""

    def __init__(self, pools: Pools, journal: Journal) -> None:
        self._pools = pools
        self._journal = journal

    def weigh(self, turn: Turn, notes: PoolNotes) -> PoolNotes:
        """Return the notes with what this turn's size means for a contest.

        Args:
            turn: with the pool as it is now.
            notes: with the memory of the turn before.
        """
        contest, ours = notes.contest, self._journal.newest(turn.pool_id)
        if turn.summary is None or turn.plan.pool.mode != "active" or contest.is_on(turn.now):
            return notes
        if ours is None or ours.status != "applied" or notes.backoff.capacity_failures:
            return notes  # OCI itself may take back what it could not launch
        within, stood = window(turn.plan.pool), stood_for(ours, notes.memory, turn.now)
        if stood > within:
            is_later = contest.newest_at is not None and contest.newest_at < ours.at
            return replace(notes, contest=Contest()) if is_later else notes
        size, known = turn.summary.size, notes.memory.size
        is_change = known is not None and size != known and goes_against(ours, size)
        if not is_change or not self._is_so(turn, size):
            return notes
        return replace(notes, contest=contest.opposed_once_more(turn.now))

    def _is_so(self, turn: Turn, size: int) -> bool:
        """Ask for the pool itself: lists may lag behind what we have written."""
        try:
            return self._pools.get(ref_of(turn.plan.pool)).pool.size == size
        except CallError as error:
            log.debug("%s: its size is not confirmed: %s", turn.plan.pool.name, error)
            return False


def yielding(turn: Turn, notes: PoolNotes) -> Turn:
    """Return the turn as one that only observes while the pool is contended."""
    until = notes.contest.until
    if turn.plan.pool.mode != "active" or until is None or not notes.contest.is_on(turn.now):
        return turn
    text = (
        "somebody else changed the size against this agent twice within a cooldown: only observed"
        f" until {until:%H:%M} UTC, or until a new configuration"
    )
    plan = replace(turn.plan, pool=turn.plan.pool.model_copy(update={"mode": "observe"}))
    return replace(turn, plan=plan, restraint=Restraint("CONTENDED", text, "error"))
