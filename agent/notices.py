"""What is told of a pool beside its row of the minute: writes, failures, what stands in the way.

A failure that simply repeats is one row when it begins or changes, and one with the count when it
is over: an outage of an hour is no hundred events.
"""

import logging
from datetime import datetime

from agent.act import Applied, Failed, Outcome, Skipped
from agent.journal import Intent
from agent.logs import facts
from agent.report import PoolReport, Reporter
from agent.state import PoolNotes
from agent.streaks import Streak, Streaks
from agent.turn import Turn

log = logging.getLogger(__name__)


class Notices:
    """Tells each thing once: to central as a row, to the journal of the node as a line."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._streaks = Streaks()
        self._restrained: dict[str, str | None] = {}
        self._immovable: set[str] = set()

    def outcome(self, turn: Turn, report: PoolReport, outcome: Outcome) -> bool:
        """Tell how a write ended.

        Returns:
            Whether all that is to be told is on disk: then the journal may forget the write.
        """
        match outcome:
            case Failed(retry=True, is_capacity=False, cause=cause):
                is_news, over = self._streaks.failed(turn.pool_id, cause.kind, turn.now)
                self._over(report, over, turn.now)
                if not is_news:
                    log.debug("%s: again: %s", report.pool.name, cause)
                    return True
            case Skipped(why="protected", text=text):
                self._all_protected(turn, report, text)
            case Applied() | Failed():
                self._over(report, self._streaks.ended(turn.pool_id), turn.now)
                if isinstance(outcome, Applied):
                    self._immovable.discard(turn.pool_id)
        _log(report.pool.name, outcome)
        return self._reporter.outcome(report, outcome, turn.now)

    def read_back(self, turn: Turn, outcome: Outcome) -> None:
        """Tell what is known of a write that was left open; once, while it is nothing."""
        key, is_news = (turn.pool_id, "read back"), True
        if isinstance(outcome, Skipped):
            is_news, _ = self._streaks.failed(key, outcome.why, turn.now)
        else:
            self._streaks.ended(key)
        level = logging.WARNING if is_news else logging.DEBUG
        log.log(level, "%s: an open write was read back: %s", turn.plan.pool.name, outcome)

    def pool(self, turn: Turn, before: PoolNotes, ours: Intent | None, report: PoolReport) -> None:
        """Tell what changed since the last turn that was not a write of this one.

        Args:
            turn: what it is about.
            before: the notes as they were when the turn began.
            ours: the newest write before it.
            report: the pool as it is now.
        """
        self._over(report, self._streaks.faded(turn.pool_id, turn.now), turn.now)
        notes = report.notes
        if notes.work_failed_at is not None and notes.work_failed_at != before.work_failed_at:
            text = f"a launch failed with {notes.work_error}: growth waits"
            self._reporter.trouble(report, "CAPACITY_ERROR", text, turn.now)
        self._restraint(turn, report)
        summary, known = turn.summary, before.memory
        if summary is None or known.size is None or summary.size == known.size:
            return
        if ours is None or ours.to != summary.size:
            text = f"the size went from {known.size} to {summary.size}, and not by this agent"
            self._reporter.trouble(report, "EXTERNAL_CHANGE", text, turn.now)

    def _over(self, report: PoolReport, streak: Streak | None, now: datetime) -> None:
        """Tell how often something failed; what failed only once has been told."""
        if streak is not None and streak.count > 1:
            log.info("%s: over: %s", report.pool.name, streak)
            self._reporter.trouble(report, "SCALE_FAILURES_ENDED", str(streak), now)

    def _all_protected(self, turn: Turn, report: PoolReport, text: str) -> None:
        """Tell once that a pool cannot shrink, for all its members must stay."""
        if turn.pool_id not in self._immovable:
            self._immovable.add(turn.pool_id)
            log.warning("%s: %s", report.pool.name, text)
            self._reporter.trouble(report, "PROTECTED", text, turn.now)

    def _restraint(self, turn: Turn, report: PoolReport) -> None:
        """Tell once of what keeps the agent's hands off a pool."""
        restraint = turn.restraint
        code = restraint.code if restraint else None
        if self._restrained.get(turn.pool_id) == code:
            return
        self._restrained[turn.pool_id] = code
        if restraint is not None:
            log.warning("%s: %s", report.pool.name, restraint.text)
            self._reporter.trouble(report, restraint.code, restraint.text, turn.now)


def _log(pool: str, outcome: Outcome) -> None:
    match outcome:
        case Applied(before=before, to=to, reason=reason):
            known = facts(pool=pool, before=before, to=to)
            log.info("%s: resized from %d to %d: %s", pool, before, to, reason, extra=known)
        case Skipped(why=why, text=text):
            log.debug("%s: not resized (%s): %s", pool, why, text)
        case Failed(cause=cause, retry=retry):
            known = facts(pool=pool, code=cause.code, request_id=cause.request_id)
            log.error("%s: %s%s", pool, cause, "" if retry else "; writes wait", extra=known)
