"""Acting on a decision: one guarded write, and every way in which it can end.

`Applied` alone starts a cooldown. `Skipped` is not an error: nothing was done, and the next tick
looks again. A write whose outcome is unknown is read back before anything else happens.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agent.errors import CallError, Cause
from agent.failures import is_capacity
from agent.journal import Intent, Journal
from agent.pools import Instance, PoolRef, Pools, Versioned
from agent.victims import choose, needs_choice, spared
from shared.engine.codec import memory_to_json
from shared.engine.model import Resize

SkipReason = Literal["changed_meanwhile", "busy", "dry_run", "unresolved", "protected"]
OwnInstance = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Applied:
    """OCI accepted the resize. `recovered`: found out only by reading back."""

    before: int
    to: int
    at: datetime
    token: str
    reason: str
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing was done, and why."""

    why: SkipReason
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """OCI refused, or its answer is unknown.

    Attributes:
        retry: the next tick may simply try again.
        is_capacity: there is no room or no quota for more instances.
        token: of the write; empty when it never came to one.
    """

    cause: Cause
    retry: bool
    is_capacity: bool = False
    token: str = ""


Outcome = Applied | Skipped | Failed


class Actor:
    """Resizes pools."""

    def __init__(
        self,
        pools: Pools,
        journal: Journal,
        new_token: Callable[[], str],
        own_instance: OwnInstance = lambda: None,
    ) -> None:
        self._pools = pools
        self._journal = journal
        self._new_token = new_token
        self._own_instance = own_instance

    def act(
        self, ref: PoolRef, decision: Resize, now: datetime, protected: Collection[str] = ()
    ) -> Outcome:
        """Resize a pool if it is still the one that the decision saw.

        With a member that is protected, or is this very machine, the pool shrinks by one chosen
        member; the next tick goes on.
        """
        try:
            found = self._pools.get(ref)
        except CallError as error:
            return Failed(error.cause, retry=error.cause.retry)
        changed = _changed(found, decision)
        if changed is not None:
            return changed
        victim: Instance | None = None
        if decision.to < found.pool.size:
            try:
                victim, obstacle = self._victim(ref, protected)
            except CallError as error:
                return Failed(error.cause, retry=error.cause.retry)
            if obstacle is not None:
                return obstacle
        intent = Intent(
            pool_id=ref.id,
            before=found.pool.size,
            to=decision.to if victim is None else found.pool.size - 1,
            etag=found.etag,
            token=self._new_token(),
            at=now,
            reason=decision.verdict.reasons[-1].text if decision.verdict.reasons else "",
            memory=memory_to_json(decision.verdict.memory),
        )
        self._journal.open(intent)
        try:
            if victim is None:
                self._pools.resize(ref, intent.to, etag=intent.etag, token=intent.token)
            else:
                self._pools.detach(ref, victim.id, token=intent.token)
        except CallError as error:
            return self._not_accepted(ref, intent, error.cause)
        return _applied(intent)

    def _victim(
        self, ref: PoolRef, protected: Collection[str]
    ) -> tuple[Instance | None, Skipped | None]:
        """Return who must be chosen to go, or why nobody can; neither: Oracle may choose."""
        stay = spared(protected, self._own_instance())
        members = self._pools.members(ref) if stay else ()
        if not needs_choice(members, stay):
            return None, None
        victim = choose(members, stay)
        if victim is None:
            return None, Skipped("protected", "every member is protected: nothing can be removed")
        return victim, None

    def resolve(self, ref: PoolRef) -> Outcome | None:
        """Find out what became of a write that a crash or a lost answer left open.

        Returns:
            None when no write is open; Skipped while it cannot be told yet.
        """
        intent = self._journal.newest(ref.id)
        if intent is None or intent.status != "open":
            return None
        return self._read_back(ref, intent, Cause("UpdateInstancePool", "the answer never came"))

    def close(self, ref: PoolRef, outcome: Outcome, *, is_saved: bool = True) -> None:
        """Close the journal's entry; call after the outcome is in the outbox.

        Args:
            ref: of the pool.
            outcome: of its write.
            is_saved: the outcome is on disk; else the entry stays open there, so that the next
                start tells what this process could not.
        """
        intent = self._journal.newest(ref.id)
        if intent is None or intent.status != "open" or isinstance(outcome, Skipped):
            return
        if isinstance(outcome, Applied):
            self._journal.close(intent, "applied", on_disk=is_saved)
        elif outcome.cause.certainty != "unknown":
            self._journal.close(intent, "failed", on_disk=is_saved)

    def _not_accepted(self, ref: PoolRef, intent: Intent, cause: Cause) -> Outcome:
        if is_capacity(cause.code, cause.message):
            return Failed(_sure(cause), retry=False, is_capacity=True, token=intent.token)
        if cause.certainty == "unknown":
            return self._read_back(ref, intent, cause)
        if cause.status == 412 or (cause.status == 409 and cause.code == "IncorrectState"):
            self._journal.close(intent, "failed")
            text = f"deferred to the next tick: {cause.message or cause.code}"
            return Skipped("changed_meanwhile" if cause.status == 412 else "busy", text)
        return Failed(cause, retry=cause.retry, token=intent.token)

    def _read_back(self, ref: PoolRef, intent: Intent, cause: Cause) -> Outcome:
        try:
            found = self._pools.get(ref)
        except CallError as error:
            text = f"whether the write to {intent.to} took effect is not known yet: {error.cause}"
            return Skipped("unresolved", text)
        if found.pool.size == intent.to and found.etag != intent.etag:
            return _applied(intent, recovered=True)
        return Failed(_sure(cause), retry=True, token=intent.token)


def _changed(found: Versioned, decision: Resize) -> Skipped | None:
    expected = decision.verdict.current
    if found.pool.size != expected:
        text = f"deferred: the size is {found.pool.size} now, the decision saw {expected}"
        return Skipped("changed_meanwhile", text)
    if found.pool.state.upper() != "RUNNING":
        return Skipped("busy", f"deferred: the pool is {found.pool.state} now")
    return None


def _applied(intent: Intent, *, recovered: bool = False) -> Applied:
    return Applied(intent.before, intent.to, intent.at, intent.token, intent.reason, recovered)


def _sure(cause: Cause) -> Cause:
    return Cause(
        cause.operation, cause.message, cause.status, cause.code, cause.request_id, "refused"
    )


class DryActor(Actor):
    """Decides everything and writes nothing: what `poolkeeper agent plan` uses."""

    def act(
        self, ref: PoolRef, decision: Resize, now: datetime, protected: Collection[str] = ()
    ) -> Outcome:
        """Return that nothing was done."""
        del ref, now, protected
        return Skipped("dry_run", f"would resize to {decision.to}")

    def resolve(self, ref: PoolRef) -> Outcome | None:
        """Leave open writes to the agent that made them."""
        del ref
        return None
