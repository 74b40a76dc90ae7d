"""Size changes on their way: seen, busy, settled; and instants kept right when a clock is set."""

from datetime import datetime, timedelta
from typing import Literal

from shared.engine import counts
from shared.engine.model import LastWrite, Memory, NeedRun, Observation, PoolState
from shared.engine.reasons import Code, Reason
from shared.engine.wording import instances, span

BUSY = frozenset({"PROVISIONING", "SCALING", "STARTING", "STOPPING"})
GONE = frozenset({"TERMINATING", "TERMINATED"})

SETTLE_UNIT = timedelta(minutes=10)
"""Time that OCI may take for each SETTLE_BATCH instances (the Kubernetes provider's figures)."""
SETTLE_BATCH = 20

VISIBLE_WITHIN = timedelta(minutes=3)
"""How long a list may lag behind our own write before what it shows is believed."""

CLOCK_SLACK = timedelta(seconds=5)
"""Differences between wall and monotonic time below this are not a clock that was set."""


def settle_deadline(changing: int) -> timedelta:
    """How long a change of this many instances may take before the pool counts as stuck."""
    return SETTLE_UNIT * max(1, -(-changing // SETTLE_BATCH))


def _shifted(at: datetime | None, by: timedelta) -> datetime | None:
    return None if at is None else at + by


def align(memory: Memory, now: datetime, elapsed: float | None) -> tuple[Memory, Reason | None]:
    """Shift remembered instants when the clock was set, so that waits neither vanish nor stick.

    With monotonic time known, any difference beyond CLOCK_SLACK is a set clock, in either
    direction. After a restart only a clock that went back can be told from time that passed.
    """
    if memory.at is None or (elapsed is None and now >= memory.at):
        return memory, None
    by = now - memory.at - timedelta(seconds=elapsed or 0.0)
    if elapsed is not None and abs(by) <= CLOCK_SLACK:
        return memory, None
    aligned = memory._replace(
        at=memory.at + by,
        needs=tuple(NeedRun(run.first + by, run.last + by, run.need) for run in memory.needs),
        counts=tuple((at + by, count) for at, count in memory.counts),
        changed_at=_shifted(memory.changed_at, by),
        settled_at=_shifted(memory.settled_at, by),
        settled_out_at=_shifted(memory.settled_out_at, by),
        busy_since=_shifted(memory.busy_since, by),
    )
    direction = "back" if by < timedelta(0) else "forward"
    text = f"the clock was set {direction} by {span(abs(by))}: waits go on where they were"
    return aligned, Reason(Code.CLOCK_SHIFTED, text)


def follow(memory: Memory, seen: Observation, pool: PoolState, reach: timedelta) -> Memory:
    """Note what the pool shows now: a changed size, whoever changed it; busy; settled; count."""
    now, state = seen.now, pool.state.upper()
    change, changed_at, changing = memory.change, memory.changed_at, memory.changing
    before = memory.size if memory.size is not None else pool.active
    if pool.size != before:
        change = "out" if pool.size > before else "in"
        changed_at = now
        changing = max(abs(pool.size - before), abs(pool.size - pool.active))
    settled_at, settled_out_at = memory.settled_at, memory.settled_out_at
    if change is not None and _has_settled(pool, state, now, changed_at, changing):
        settled_at = now
        settled_out_at = now if change == "out" else settled_out_at
        change, changing = None, 0
    busy_since = (memory.busy_since or now) if state in BUSY else None
    known = counts.remember(memory.counts, now, pool.active, reach)
    return Memory(
        at=now,
        policies=memory.policies,
        needs=memory.needs,
        counts=known,
        size=pool.size,
        change=change,
        changed_at=changed_at,
        changing=changing,
        settled_at=settled_at,
        settled_out_at=settled_out_at,
        busy_since=busy_since,
        mode=memory.mode,
        reentering=memory.reentering,
    )


def _has_settled(
    pool: PoolState, state: str, now: datetime, changed_at: datetime | None, changing: int
) -> bool:
    """RUNNING with the running count at the size; or with what it got, once the deadline passed."""
    if state != "RUNNING":
        return False
    late = changed_at is not None and now - changed_at > settle_deadline(changing)
    return pool.active == pool.size or late


Gate = tuple[Reason, Literal["healthy", "warning", "error"]]


def gate(seen: Observation, memory: Memory) -> Gate | None:
    """Why the pool cannot be resized in this tick whatever is wanted, or None.

    `memory` has followed this tick's observation already.
    """
    if seen.pool is None:
        return _absent(seen.problem)
    state = seen.pool.state.upper()
    if state in GONE:
        return Reason(Code.POOL_MISSING, f"the pool is {state}"), "error"
    if state == "STOPPED":
        return Reason(Code.POOL_STOPPED, "the pool is stopped: its size is left alone"), "warning"
    if state in BUSY:
        return _busy(state, seen.now, memory)
    if state != "RUNNING":
        return Reason(Code.POOL_BUSY, f"the pool is in state {state}"), "warning"
    if _is_not_visible(seen.last_write, seen, memory):
        text = "our last resize is not visible yet: what the pool shows is old"
        return Reason(Code.WRITE_NOT_VISIBLE, text), "healthy"
    return None


def _absent(problem: str | None) -> Gate:
    if problem == "missing":
        text = "the pool does not exist in this compartment and region"
        return Reason(Code.POOL_MISSING, text), "error"
    if problem == "forbidden":
        text = "the pool may not be read: check the IAM policy of this node"
        return Reason(Code.POOL_FORBIDDEN, text), "error"
    return Reason(Code.POOL_UNKNOWN, "the pool could not be read in this tick"), "warning"


def _busy(state: str, now: datetime, memory: Memory) -> Gate:
    since = memory.busy_since or now
    if memory.change is not None and memory.changed_at is not None:
        since = max(since, memory.changed_at)
    if now - since > settle_deadline(memory.changing):
        text = (
            f"the pool has been {state} for {span(now - since)}, longer than "
            f"{instances(max(1, memory.changing))} should take: look at its work requests"
        )
        return Reason(Code.POOL_STUCK, text), "error"
    return Reason(Code.POOL_BUSY, f"the pool is {state} since {span(now - since)}"), "healthy"


def _is_not_visible(write: LastWrite | None, seen: Observation, memory: Memory) -> bool:
    if write is None or seen.pool is None or seen.pool.size == write.to:
        return False
    seen_since = memory.changed_at is not None and memory.changed_at >= write.at
    return not seen_since and abs(seen.now - write.at) < VISIBLE_WITHIN
