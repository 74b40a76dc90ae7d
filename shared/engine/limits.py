"""Each limit as one small function from a wanted size to (allowed size, reason or None).

Their order is the contract's: anti-flap, stabilization, max_step, cooldown, blocked, bounds.
"""

from collections.abc import Iterable
from datetime import datetime

from shared.config.models import Cooldown, MaxStep
from shared.engine.model import Blocked, Bounds, Guard, Memory, Vote, Wait
from shared.engine.reasons import Code, Reason
from shared.engine.wording import clock, instances, span

Limited = tuple[int, Reason | None]

_EPSILON = 1e-9


def anti_flap(size: int, wanted: int, votes: Iterable[Vote]) -> Limited:
    """Reduce a scale-in until no policy would scale out again at the projected load.

    The projection is load / new size, where load = value × the instances it was measured on
    (Azure's rule against flapping, made exact). A policy's headroom carries none of it.
    """
    if wanted >= size:
        return wanted, None
    lowest, blamed = wanted, None
    for vote in votes:
        if vote.load is None or not vote.out_threshold:
            continue
        needed = vote.headroom - int(-(vote.load / vote.out_threshold - _EPSILON) // 1)
        if needed > lowest:
            lowest, blamed = needed, vote
    if blamed is None:
        return wanted, None
    allowed = min(size, lowest)
    text = (
        f"with {instances(wanted)} {blamed.label} would rise above {blamed.out_threshold:g} and "
        f"scale out again: {allowed} instead"
    )
    return allowed, Reason(Code.ANTI_FLAP, text)


def max_step(size: int, wanted: int, rule: MaxStep) -> Limited:
    """No decision adds or removes more than its step; a percentage is of the size now."""
    if wanted > size:
        allowed = min(wanted, size + rule.scale_out.added_to(size))
    else:
        allowed = max(wanted, size - rule.scale_in.removed_from(size), 0)
    if allowed == wanted:
        return wanted, None
    step = f"adds {rule.scale_out}" if wanted > size else f"removes {rule.scale_in}"
    return allowed, Reason(Code.MAX_STEP, f"one step {step} at most: {allowed} instead of {wanted}")


def cooldown(
    size: int, wanted: int, memory: Memory, now: datetime, rule: Cooldown
) -> tuple[int, Reason | None, Wait | None]:
    """Wait after a settled change: growth after growth, shrinking after either."""
    if wanted == size:
        return wanted, None, None
    grows = wanted > size
    since = memory.settled_out_at if grows else memory.settled_at
    length = rule.scale_out if grows else rule.scale_in
    if since is None or now - since >= length:
        return wanted, None, None
    end = since + length
    code = Code.COOLDOWN_OUT if grows else Code.COOLDOWN_IN
    what = "scale-out" if grows else "scale-in"
    text = f"{what} cooldown of {span(length)} has {span(end - now)} left"
    return size, Reason(code, text), Wait(end, f"{what} cooldown ends")


def unsettled(size: int, wanted: int, memory: Memory) -> Limited:
    """Metrics never move a pool whose last change has not settled: they measured another pool."""
    if wanted == size or memory.change is None:
        return wanted, None
    text = "the last change of size has not settled: the running count is not at the size yet"
    return size, Reason(Code.UNSETTLED, text)


def blocked(
    size: int, wanted: int, block: Blocked | None, now: datetime
) -> tuple[int, Reason | None, Wait | None]:
    """Back-off after failed writes: capacity stops growth only, other failures every write."""
    if block is None or wanted == size:
        return wanted, None, None
    cause = block.code or "a failed write"
    if block.writes_until is not None and now < block.writes_until:
        text = f"writes wait until {clock(block.writes_until)} after {cause}"
        wait = Wait(block.writes_until, "the back-off after a failed write ends")
        return size, Reason(Code.BLOCKED_WRITES, text), wait
    if wanted > size and block.scale_out_until is not None and now < block.scale_out_until:
        text = f"growth waits until {clock(block.scale_out_until)} after {cause}"
        wait = Wait(block.scale_out_until, "the capacity back-off ends")
        return size, Reason(Code.BLOCKED_CAPACITY, text), wait
    return wanted, None, None


def removals(size: int, wanted: int, guard: Guard | None) -> Limited:
    """The guard's hourly allowance of removed instances; nothing exceeds it."""
    if guard is None or guard.removable is None or size - wanted <= guard.removable:
        return wanted, None
    allowed = size - max(0, guard.removable)
    text = f"the node's guard allows {instances(max(0, guard.removable))} to be removed this hour"
    return allowed, Reason(Code.REMOVALS_SPENT, text)


def within(size: int, wanted: int, bounds: Bounds) -> Limited:
    """The bounds, last and strongest: they ignore cooldown, stabilization and max_step."""
    allowed = bounds.clamp(wanted)
    if allowed == wanted:
        return wanted, None
    if allowed > wanted:
        if size < bounds.floor:
            text = f"{instances(size)} are below the floor {bounds.floor}"
            return allowed, Reason(Code.BELOW_FLOOR, text)
        return allowed, Reason(Code.AT_FLOOR, f"{wanted} would be below the floor {bounds.floor}")
    if size > bounds.ceiling:
        text = f"{instances(size)} are above the ceiling {bounds.ceiling}"
        return allowed, Reason(Code.ABOVE_CEILING, text)
    text = f"{wanted} would be above the ceiling {bounds.ceiling}"
    return allowed, Reason(Code.AT_CEILING, text)
