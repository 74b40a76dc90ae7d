"""One pool's turn in a tick: observe → decide → act, then report."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from agent.act import Actor, Applied, Failed, Outcome, Skipped
from agent.errors import CallError
from agent.failures import capacity_failed, write_failed, write_succeeded
from agent.guard import LocalGuard
from agent.journal import Intent, Journal
from agent.logs import facts
from agent.observe import (
    Circumstances,
    SiteView,
    failures_since,
    needs_members,
    observation,
    ref_of,
    suspects_failure,
    with_members,
    with_proof,
    with_work_errors,
)
from agent.pools import Pools, PoolSummary
from agent.report import PoolReport, Reporter
from agent.restraints import Restraint
from agent.sources.model import PoolReadings
from agent.state import PoolNotes, StateStore
from agent.trace import Trace
from shared.engine.codec import memory_from_json
from shared.engine.decide import decide
from shared.engine.model import Decision, LastWrite, Memory, Observation, Resize
from shared.engine.plan import Plan

log = logging.getLogger(__name__)
LISTINGS_PER_TICK = 10


@dataclass(frozen=True)
class Parts:
    """Everything that a turn works with.

    Attributes:
        elapsed: monotonic seconds of simulated time.
        running_hash: of the configuration that is in force now.
        on_decision: told of every decision and outcome.
    """

    pools: Pools
    state: StateStore
    journal: Journal
    actor: Actor
    guard: LocalGuard
    reporter: Reporter
    trace: Trace
    elapsed: Callable[[], float]
    running_hash: Callable[[], str | None]
    on_decision: Callable[[Plan, Decision, Outcome | None], None]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one pool's part of a tick is about."""

    plan: Plan
    view: SiteView
    now: datetime
    config_hash: str
    restraint: Restraint | None = None

    @property
    def pool_id(self) -> str:
        """The pool's OCID."""
        return self.plan.pool.instance_pool_id

    @property
    def summary(self) -> PoolSummary | None:
        """The pool as listed, or None when it cannot be seen."""
        return self.view.pools.get(self.pool_id)


class Turns:
    """Takes turns. Turns of different pools may run side by side, those of one pool never."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._decided: dict[str, float] = {}
        self._restrained: dict[str, str | None] = {}
        self._immovable: set[str] = set()
        self._listings = 0
        self._lock = threading.Lock()

    def begin_tick(self) -> None:
        """Allow a few member lists again."""
        with self._lock:
            self._listings = LISTINGS_PER_TICK

    def take(self, turn: Turn) -> None:
        """Observe, decide, act and report one pool."""
        before = self._parts.state.get(turn.pool_id)
        if turn.pool_id not in self._decided:
            before = after_crash(before, self._parts.journal.newest(turn.pool_id))
        notes, recovered = self._resolve(turn, before)
        notes, seen = self._observe(turn, notes, recovered)
        decision = decide(turn.plan, seen, notes.memory)
        self._parts.trace.write(turn.plan.pool.name, seen, notes.memory, decision)
        ours = self._parts.journal.newest(turn.pool_id)
        outcome = self._act(turn, decision)
        log.debug("%s: %s", turn.plan.pool.name, decision.verdict.reasons[-1].text)
        notes = self._settle(turn, replace(notes, memory=decision.verdict.memory), outcome)
        self._report(turn, notes, decision, (recovered, outcome))
        self._notice(turn, before, ours, self._pool_report(turn, notes, decision))
        self._parts.on_decision(turn.plan, decision, outcome)

    def _resolve(self, turn: Turn, notes: PoolNotes) -> tuple[PoolNotes, Outcome | None]:
        """Read back a write that a crash or a lost answer left open."""
        outcome = self._parts.actor.resolve(ref_of(turn.plan.pool))
        if outcome is not None:
            log.warning("%s: an open write was read back: %s", turn.plan.pool.name, outcome)
            notes = self._settle(turn, notes, outcome)
        return notes, outcome

    def _observe(
        self, turn: Turn, notes: PoolNotes, recovered: Outcome | None
    ) -> tuple[PoolNotes, Observation]:
        parts = self._parts
        if turn.summary is not None:
            notes = self._members(turn, turn.summary, notes)
            notes = with_proof(self._work_errors(turn, turn.summary, notes), turn.summary)
        elapsed = parts.elapsed()
        last = self._decided.get(turn.pool_id)
        self._decided[turn.pool_id] = elapsed
        last_write = parts.journal.last_write(turn.pool_id)
        if isinstance(recovered, Applied):
            last_write = LastWrite(recovered.to, recovered.at)
        around = Circumstances(
            now=turn.now,
            guard=parts.guard.bounds(notes, turn.now),
            last_write=last_write,
            elapsed=None if last is None else elapsed - last,
        )
        return notes, observation(turn.plan.pool, turn.view, notes, around)

    def _members(self, turn: Turn, summary: PoolSummary, notes: PoolNotes) -> PoolNotes:
        if not needs_members(summary, notes):
            return notes
        with self._lock:
            if self._listings <= 0:
                return notes
            self._listings -= 1
        try:
            found = self._parts.pools.members(ref_of(turn.plan.pool))
        except CallError as error:
            log.warning("%s: its members are not known: %s", turn.plan.pool.name, error)
            return notes
        return with_members(notes, found, summary, turn.now)

    def _work_errors(self, turn: Turn, summary: PoolSummary, notes: PoolNotes) -> PoolNotes:
        if not suspects_failure(summary, notes, turn.now):
            return notes
        last_write = self._parts.journal.last_write(turn.pool_id)
        since = failures_since(notes, last_write, turn.now)
        try:
            errors = self._parts.pools.work_errors(ref_of(turn.plan.pool), since)
        except CallError as error:
            log.warning("%s: its work requests are not known: %s", turn.plan.pool.name, error)
            return replace(notes, work_checked_at=turn.now)
        return with_work_errors(notes, errors, summary, turn.now)

    def _act(self, turn: Turn, decision: Decision) -> Outcome | None:
        if not isinstance(decision, Resize):
            return None
        if self._parts.running_hash() != turn.config_hash:
            return Skipped("changed_meanwhile", "a newer configuration is in force")
        intent = self._parts.journal.newest(turn.pool_id)
        if intent is not None and intent.status == "open":
            return Skipped("unresolved", "what became of the write before is told first")
        pool = turn.plan.pool
        return self._parts.actor.act(ref_of(pool), decision, turn.now, pool.protected)

    def _settle(self, turn: Turn, notes: PoolNotes, outcome: Outcome | None) -> PoolNotes:
        """Keep what an outcome means for the writes to come."""
        match outcome:
            case Applied(before=before, to=to):
                notes = replace(notes, backoff=write_succeeded(notes.backoff))
                if to < before:
                    notes = notes.with_removal(turn.now, before - to)
            case Failed(is_capacity=True, cause=cause):
                needed = 1 + (turn.summary.active if turn.summary else 0)
                backoff = capacity_failed(notes.backoff, cause.code, turn.now, needed=needed)
                notes = replace(notes, backoff=backoff)
            case Failed(retry=False, cause=cause):
                code = cause.code or str(cause.status)
                notes = replace(notes, backoff=write_failed(notes.backoff, code, turn.now))
        self._parts.state.put(turn.pool_id, notes)
        return notes

    def _report(
        self,
        turn: Turn,
        notes: PoolNotes,
        decision: Decision,
        outcomes: tuple[Outcome | None, ...],
    ) -> None:
        """Write records, then close the journal: a crash in between repeats nothing."""
        report = self._pool_report(turn, notes, decision)
        for outcome in outcomes:
            if outcome is not None:
                _log(turn.plan.pool.name, outcome)
                is_saved = self._parts.reporter.outcome(report, outcome, turn.now)
                self._all_protected(turn, report, outcome)
                self._parts.actor.close(ref_of(turn.plan.pool), outcome, is_saved=is_saved)
        self._parts.reporter.tick(report, turn.now)

    def _notice(
        self, turn: Turn, before: PoolNotes, ours: Intent | None, report: PoolReport
    ) -> None:
        """Tell of launches that failed, and of sizes that are not by our newest write."""
        notes, summary = report.notes, turn.summary
        if notes.work_failed_at is not None and notes.work_failed_at != before.work_failed_at:
            text = f"a launch failed with {notes.work_error}: growth waits"
            self._parts.reporter.trouble(report, "CAPACITY_ERROR", text, turn.now)
        self._restraint(turn, report)
        known: Memory = before.memory
        if summary is None or known.size is None or summary.size == known.size:
            return
        if ours is None or ours.to != summary.size:
            text = f"the size went from {known.size} to {summary.size}, and not by this agent"
            self._parts.reporter.trouble(report, "EXTERNAL_CHANGE", text, turn.now)

    def _all_protected(self, turn: Turn, report: PoolReport, outcome: Outcome) -> None:
        """Tell once that a pool cannot shrink, for all its members must stay."""
        match outcome:
            case Skipped(why="protected", text=text) if turn.pool_id not in self._immovable:
                self._immovable.add(turn.pool_id)
                log.warning("%s: %s", turn.plan.pool.name, text)
                self._parts.reporter.trouble(report, "PROTECTED", text, turn.now)
            case Applied():
                self._immovable.discard(turn.pool_id)

    def _restraint(self, turn: Turn, report: PoolReport) -> None:
        """Tell once of what keeps the agent's hands off a pool."""
        restraint = turn.restraint
        code = restraint.code if restraint else None
        if self._restrained.get(turn.pool_id) == code:
            return
        self._restrained[turn.pool_id] = code
        if restraint is not None:
            log.warning("%s: %s", turn.plan.pool.name, restraint.text)
            self._parts.reporter.trouble(report, restraint.code, restraint.text, turn.now)

    def _pool_report(self, turn: Turn, notes: PoolNotes, decision: Decision) -> PoolReport:
        summary = turn.summary
        known = notes.listed_at
        return PoolReport(
            pool=turn.plan.pool,
            size=summary.size if summary else decision.verdict.current,
            active=summary.active if summary else (known[1] if known else 0),
            readings=turn.view.readings.get(turn.plan.pool.name) or PoolReadings(),
            decision=decision,
            notes=notes,
            config_hash=turn.config_hash,
            restraint=turn.restraint,
        )


def after_crash(notes: PoolNotes, newest: Intent | None) -> PoolNotes:
    """Return the notes of a pool at its first turn in this process.

    The journal is written before the state. Where it is ahead, a crash came in between: then the
    memory and the removal that it holds are the newer truth.
    """
    if newest is None or (notes.memory.at is not None and notes.memory.at >= newest.at):
        return notes
    try:
        notes = replace(notes, memory=memory_from_json(newest.memory))
    except ValueError as error:
        log.warning("the journal's memory of %s is unusable: %s", newest.pool_id, error)
    if newest.status == "applied" and newest.to < newest.before:
        notes = notes.with_removal(newest.at, newest.before - newest.to)
    return notes


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
