"""decide(): one pool, one tick. The stages stand here in their order; each appends its reason.

gate → bounds → votes → combination → anti-flap → stabilization → max_step → settling and
cooldown → bounds again → back-off and the guard's removals. Memory keeps the combined need of
every tick with data, also of held, observed and paused ticks.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from shared.engine import limits, samples, stabilise
from shared.engine.bounds import bounds_at
from shared.engine.combine import Need, combine
from shared.engine.model import (
    Bounds,
    Decision,
    Hold,
    Memory,
    Observation,
    PoolState,
    Reading,
    Resize,
    Verdict,
    Vote,
    Wait,
)
from shared.engine.plan import Plan
from shared.engine.policies.scene import Scene
from shared.engine.reasons import Code, Reason
from shared.engine.settle import Gate, align, follow, gate
from shared.engine.wording import instances

_NOTHING_READ = Reading()
_BLOCKED = frozenset({Code.BLOCKED_CAPACITY, Code.BLOCKED_WRITES})


@dataclass(slots=True)
class _Trail:
    """The size on its way through the stages, and everything said about it."""

    size: int
    wanted: int
    reasons: list[Reason]
    waits: list[Wait]
    decisive: Reason

    def limit(self, wanted: int, reason: Reason | None, wait: Wait | None = None) -> None:
        """Take a stage's answer."""
        self.wanted = wanted
        if reason is not None:
            self.reasons.append(reason)
            self.decisive = reason
        if wait is not None:
            self.waits.append(wait)


def decide(plan: Plan, seen: Observation, memory: Memory) -> Decision:
    """Decide what to do with a pool now, and say why.

    The same inputs give the same decision: nothing is read or slept on, and what a plan keeps from
    tick to tick only saves the work of finding it again.
    """
    memory, shifted = _recall(plan, seen, memory)
    said = [shifted] if shifted is not None else []
    bounds = bounds_at(plan, seen.now, seen.guard)
    said.extend(bounds.reasons)
    if seen.pool is None:
        return _blind(seen, memory._replace(at=seen.now), bounds, said)
    memory = follow(memory, seen, seen.pool, plan.reach)
    votes = _votes(plan, seen, seen.pool, memory)
    need = combine(plan, votes, seen.pool.size, bounds)
    said.extend(_spoken(votes, need))
    trail = _Trail(seen.pool.size, need.size, said, [], need.reason)
    trail.limit(*limits.anti_flap(trail.size, trail.wanted, votes))
    memory = _remember_need(plan, seen, memory, trail.wanted, has_data=need.has_data)
    _limit_metrics(plan, seen, memory, trail)
    cause = _apply_bounds(plan, seen, memory, bounds, trail)
    if memory.reentering and bounds.clamp(trail.size) == trail.size:
        memory = memory._replace(reentering=False)
    return _result(plan, seen, seen.pool, _Found(memory, bounds, votes, need, cause), trail)


def _recall(plan: Plan, seen: Observation, memory: Memory) -> tuple[Memory, Reason | None]:
    """The memory made fit for this tick: clock, policies, mode. Its `at` is set by `follow`."""
    memory, shifted = align(memory, seen.now, seen.elapsed)
    mode = plan.pool.mode
    left = memory.mode in {"observe", "paused"}
    needs = memory.needs if memory.policies == plan.fingerprint else ()
    back = mode == "active" and (memory.reentering or left)
    same = memory.needs is needs and memory.mode == mode and memory.reentering == back
    if same and memory.policies == plan.fingerprint:
        return memory, shifted
    kept = memory._replace(policies=plan.fingerprint, needs=needs, mode=mode, reentering=back)
    return kept, shifted


def _votes(plan: Plan, seen: Observation, pool: PoolState, memory: Memory) -> tuple[Vote, ...]:
    rules = plan.pool
    votes = []
    for (name, percent, voter), read in zip(plan.voters, plan.readers, strict=True):
        reading = seen.metrics.get(name, _NOTHING_READ)
        trust = samples.Trust(seen.now, rules.metric_lag, rules.stale_after, percent)
        scene = Scene(
            now=seen.now,
            size=pool.size,
            active=pool.active,
            series=read(reading, trust),
            counts=memory.counts,
            members=pool.instances,
            warmup=rules.warmup,
            settled_at=memory.settled_at,
            unsettled=memory.change is not None,
            error=reading.error,
        )
        votes.append(voter(scene))
    return tuple(votes)


def _spoken(votes: tuple[Vote, ...], need: Need) -> list[Reason]:
    """What the votes said, what was refused among their samples, and what came of it."""
    said = [vote.reason for vote in votes]
    for vote in votes:
        if vote.rejected:
            kinds = ", ".join(f"{count} {kind}" for kind, count in vote.rejected)
            said.append(Reason(Code.SAMPLES_REJECTED, f"{vote.label}: refused samples: {kinds}"))
    if need.reason not in said:
        said.append(need.reason)
    return said


def _remember_need(
    plan: Plan, seen: Observation, memory: Memory, need: int, *, has_data: bool
) -> Memory:
    if not has_data:
        return memory
    rule = plan.pool.stabilization
    return memory._replace(needs=stabilise.remember(memory.needs, seen.now, need, plan.hole, rule))


def _limit_metrics(plan: Plan, seen: Observation, memory: Memory, trail: _Trail) -> None:
    """What holds metrics back: stabilization, max_step, an unsettled change, cooldown."""
    rules, size, now = plan.pool, trail.size, seen.now
    if trail.wanted == size:
        return  # nothing is wanted, so there is nothing to hold back
    rule = rules.stabilization
    trail.limit(*stabilise.stabilise(size, trail.wanted, memory.needs, now, rule, plan.hole))
    trail.limit(*limits.max_step(size, trail.wanted, rules.max_step))
    trail.limit(*limits.unsettled(size, trail.wanted, memory))
    trail.limit(*limits.cooldown(size, trail.wanted, memory, now, rules.cooldown))


Cause = Literal["metrics", "bounds", "override"]


def _apply_bounds(
    plan: Plan, seen: Observation, memory: Memory, bounds: Bounds, trail: _Trail
) -> Cause:
    """The bounds, then what stands even above them: back-off and the guard's removals."""
    before = trail.wanted
    trail.limit(*limits.within(trail.size, trail.wanted, bounds))
    moved = trail.wanted != before
    if moved and memory.reentering:
        allowed, capped = limits.max_step(trail.size, trail.wanted, plan.pool.max_step)
        if capped is not None:
            text = f"the pool comes back from pause or observe in steps: {capped.text}"
            trail.limit(allowed, Reason(Code.REENTERING, text))
    trail.limit(*limits.blocked(trail.size, trail.wanted, seen.blocked, seen.now))
    trail.limit(*limits.removals(trail.size, trail.wanted, seen.guard))
    if bounds.override is not None:
        return "override"
    outside = bounds.clamp(trail.size) != trail.size
    return "bounds" if (moved and outside) or not plan.voters else "metrics"


class _Found(NamedTuple):
    """What the stages found, for the result."""

    memory: Memory
    bounds: Bounds
    votes: tuple[Vote, ...]
    need: Need
    cause: Cause


def _status(
    pool: PoolState, found: _Found, trail: _Trail
) -> Literal["healthy", "warning", "error"]:
    blind = bool(found.votes) and not found.need.has_data
    blocked = trail.decisive.code in _BLOCKED
    short = found.memory.change is None and pool.active < pool.size
    return "warning" if blind or blocked or short else "healthy"


def _result(
    plan: Plan, seen: Observation, pool: PoolState, found: _Found, trail: _Trail
) -> Decision:
    size, to = trail.size, trail.wanted
    if found.memory.change is None and pool.active < size and pool.state.upper() == "RUNNING":
        text = f"{pool.active} of {instances(size)} run"
        trail.reasons.append(Reason(Code.PARTIALLY_SETTLED, text))
    status = _status(pool, found, trail)
    why, acts = trail.decisive, to != size
    modal = None if plan.pool.mode == "active" else _mode_gate(plan, size, to)
    for closed in (gate(seen, found.memory), modal):
        if closed is not None:
            why, acts = closed[0], False
            trail.reasons.append(why)
            status = _worse(status, closed[1])
    if acts:
        code = Code.SCALE_OUT if to > size else Code.SCALE_IN
        verb = "out" if to > size else "in"
        trail.reasons.append(Reason(code, f"scales {verb} from {size} to {to}: {why.text}"))
    else:
        trail.reasons.append(Reason(why.code, f"held at {size}: {why.text}"))
    verdict = Verdict(
        current=size,
        desired=to,
        reasons=tuple(trail.reasons),
        votes=found.votes,
        bounds=found.bounds,
        waits=tuple(trail.waits),
        memory=found.memory,
        status=status,
    )
    return Resize(to, found.cause, verdict) if acts else Hold(verdict)


def _worse(
    one: Literal["healthy", "warning", "error"], other: Literal["healthy", "warning", "error"]
) -> Literal["healthy", "warning", "error"]:
    if other in (one, "healthy"):
        return one
    order = ("healthy", "warning", "error")
    return one if order.index(one) >= order.index(other) else other


def _mode_gate(plan: Plan, size: int, to: int) -> Gate | None:
    would = f"would go to {to}" if to != size else "would hold too"
    if plan.pool.mode == "paused":
        text = f"the pool is paused: nothing is enforced, its limits neither ({would})"
        return Reason(Code.PAUSED, text), "healthy"
    if plan.pool.mode == "observe":
        return Reason(Code.OBSERVE, f"observed only, never resized ({would})"), "healthy"
    return None


def _blind(seen: Observation, memory: Memory, bounds: Bounds, said: list[Reason]) -> Hold:
    """The pool cannot be seen: nothing is decided and nothing forgotten."""
    closed = gate(seen, memory)
    assert closed is not None  # noqa: S101 # a pool that is None always closes the gate
    size = memory.size or 0
    reasons = (*said, closed[0], Reason(closed[0].code, f"held at {size}: {closed[0].text}"))
    return Hold(Verdict(size, size, reasons, (), bounds, (), memory, closed[1]))
