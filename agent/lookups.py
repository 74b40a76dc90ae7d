"""What is only asked of OCI when a pool changed: its members, and work requests that failed."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from agent.errors import CallError
from agent.journal import Journal
from agent.observe import (
    failures_since,
    needs_members,
    ref_of,
    suspects_failure,
    with_members,
    with_work_errors,
)
from agent.pools import Pools, PoolSummary
from agent.state import PoolNotes
from agent.streaks import Streaks
from agent.turn import Turn

log = logging.getLogger(__name__)
LISTINGS_PER_TICK = 10
_Found = TypeVar("_Found")


class Lookups:
    """Looks things up, and notes them. A few member lists a tick are enough."""

    def __init__(self, pools: Pools, journal: Journal) -> None:
        self._pools = pools
        self._journal = journal
        self._streaks = Streaks()
        self._listings = 0
        self._lock = threading.Lock()

    def begin_tick(self) -> None:
        """Allow a few member lists again."""
        with self._lock:
            self._listings = LISTINGS_PER_TICK

    def members(self, turn: Turn, summary: PoolSummary, notes: PoolNotes) -> PoolNotes:
        """Return the notes with the pool's members as they are now, if they must be listed."""
        if not needs_members(summary, notes):
            return notes
        with self._lock:
            if self._listings <= 0:
                return notes
            self._listings -= 1
        found = self._ask(turn, "members", lambda: self._pools.members(ref_of(turn.plan.pool)))
        return notes if found is None else with_members(notes, found, summary, turn.now)

    def work_errors(self, turn: Turn, summary: PoolSummary, notes: PoolNotes) -> PoolNotes:
        """Return the notes with failed work requests, if there is reason to suspect one."""
        if not suspects_failure(summary, notes, turn.now):
            return notes
        since = failures_since(notes, self._journal.last_write(turn.pool_id), turn.now)
        ref = ref_of(turn.plan.pool)
        errors = self._ask(turn, "work requests", lambda: self._pools.work_errors(ref, since))
        if errors is None:
            return replace(notes, work_checked_at=turn.now)
        return with_work_errors(notes, errors, summary, turn.now)

    def _ask(self, turn: Turn, what: str, question: Callable[[], _Found]) -> _Found | None:
        """Ask; a failure is logged when it is a new one."""
        key, name = (turn.pool_id, what), turn.plan.pool.name
        try:
            found = question()
        except CallError as error:
            is_news, _ = self._streaks.failed(key, error.cause.kind, turn.now)
            level = logging.WARNING if is_news else logging.DEBUG
            log.log(level, "%s: its %s are not known: %s", name, what, error)
            return None
        streak = self._streaks.ended(key)
        if streak is not None:
            log.info("%s: its %s are known again: %s", name, what, streak)
        return found
