"""Taking turns: observe → decide → act, then report."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.act import Actor, Applied, Failed, Outcome, Skipped
from agent.failures import capacity_failed, write_failed, write_succeeded
from agent.guard import LocalGuard
from agent.journal import Intent, Journal
from agent.lookups import Lookups
from agent.notices import Notices
from agent.observe import Circumstances, observation, ref_of, with_proof
from agent.pools import Pools
from agent.referee import Referee, yielding
from agent.report import PoolReport, Reporter
from agent.sources.model import PoolReadings
from agent.state import PoolNotes, StateStore
from agent.trace import Trace
from agent.turn import Turn
from shared.engine.codec import memory_from_json
from shared.engine.decide import decide
from shared.engine.model import Decision, LastWrite, Observation, Resize
from shared.engine.plan import Plan

log = logging.getLogger(__name__)


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


class Turns:
    """Takes turns. Turns of different pools may run side by side, those of one pool never."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lookups = Lookups(parts.pools, parts.journal)
        self._notices = Notices(parts.reporter)
        self._referee = Referee(parts.pools, parts.journal)
        self._decided: dict[str, float] = {}

    def begin_tick(self) -> None:
        """Allow a few member lists again."""
        self._lookups.begin_tick()

    def take(self, turn: Turn) -> None:
        """Observe, decide, act and report one pool."""
        before = self._parts.state.get(turn.pool_id)
        if turn.pool_id not in self._decided:
            before = after_crash(before, self._parts.journal.newest(turn.pool_id))
        notes, recovered = self._resolve(turn, before)
        notes = self._referee.weigh(turn, notes)
        turn = yielding(turn, notes)
        notes, seen = self._observe(turn, notes, recovered)
        decision = decide(turn.plan, seen, notes.memory)
        self._parts.trace.write(turn.plan.pool.name, seen, notes.memory, decision)
        ours = self._parts.journal.newest(turn.pool_id)
        outcome = self._act(turn, decision)
        log.debug("%s: %s", turn.plan.pool.name, decision.verdict.reasons[-1].text)
        notes = self._settle(turn, replace(notes, memory=decision.verdict.memory), outcome)
        self._report(turn, notes, decision, (recovered, outcome))
        self._notices.pool(turn, before, ours, _pool_report(turn, notes, decision))
        self._parts.on_decision(turn.plan, decision, outcome)

    def _resolve(self, turn: Turn, notes: PoolNotes) -> tuple[PoolNotes, Outcome | None]:
        """Read back a write that a crash or a lost answer left open."""
        outcome = self._parts.actor.resolve(ref_of(turn.plan.pool))
        if outcome is not None:
            self._notices.read_back(turn, outcome)
            notes = self._settle(turn, notes, outcome)
        return notes, outcome

    def _observe(
        self, turn: Turn, notes: PoolNotes, recovered: Outcome | None
    ) -> tuple[PoolNotes, Observation]:
        parts = self._parts
        if turn.summary is not None:
            notes = self._lookups.members(turn, turn.summary, notes)
            notes = self._lookups.work_errors(turn, turn.summary, notes)
            notes = with_proof(notes, turn.summary)
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
        report = _pool_report(turn, notes, decision)
        for outcome in outcomes:
            if outcome is not None:
                is_saved = self._notices.outcome(turn, report, outcome)
                self._parts.actor.close(ref_of(turn.plan.pool), outcome, is_saved=is_saved)
        self._parts.reporter.tick(report, turn.now)


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


def _pool_report(turn: Turn, notes: PoolNotes, decision: Decision) -> PoolReport:
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
