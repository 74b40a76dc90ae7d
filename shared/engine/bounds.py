"""Floor and ceiling: local guard > limits > override > schedules. Known with or without metrics."""

from datetime import datetime

from shared.engine import windows
from shared.engine.model import Bounds, Guard
from shared.engine.plan import Plan
from shared.engine.reasons import Code, Reason
from shared.engine.wording import clock, instances


def bounds_at(plan: Plan, now: datetime, guard: Guard | None) -> Bounds:
    """The bounds of a pool at an instant, with everything that moved them."""
    limits = plan.pool.limits
    if not plan.schedules and not plan.overrides:
        return _guarded(Bounds(limits.min, limits.max), guard)
    said = plan.timetable.said
    if said is None or not said[0] <= now < said[1]:
        until = windows.steady_until(plan.schedules, now)
        ends = [lease.until for lease in plan.overrides if lease.until > now]
        said = plan.timetable.said = (now, min([until, *ends]), _unguarded(plan, now))
    return _guarded(said[2], guard)


def _unguarded(plan: Plan, now: datetime) -> Bounds:
    limits = plan.pool.limits
    lease = plan.override_at(now)
    if lease is not None:
        text = (
            f"override to {instances(lease.target_instances)} until {clock(lease.until)}: "
            f"{lease.reason}"
        )
        size = lease.target_instances
        why = (Reason(Code.OVERRIDE, text),)
        found = Bounds(size, size, why, override=lease.reason)
    elif plan.schedules:
        found = _scheduled(plan, now)
    else:
        return Bounds(limits.min, limits.max)
    return _floor_first(_within_limits(found, limits.min, limits.max))


def _scheduled(plan: Plan, now: datetime) -> Bounds:
    floor, ceiling = plan.pool.limits.min, plan.pool.limits.max
    reasons: list[Reason] = []
    names: list[str] = []
    for schedule, zone in plan.schedules:
        closes = windows.closes_at(schedule, zone, now)
        if closes is None:
            continue
        names.append(schedule.name)
        target = schedule.target_instances
        if schedule.mode != "at_most":
            floor = max(floor, target)
            text = f"schedule {schedule.name} keeps at least {target} until {clock(closes)}"
            reasons.append(Reason(Code.SCHEDULE_FLOOR, text))
        if schedule.mode != "at_least":
            ceiling = min(ceiling, target)
            text = f"schedule {schedule.name} allows at most {target} until {clock(closes)}"
            reasons.append(Reason(Code.SCHEDULE_CEILING, text))
    return Bounds(floor, ceiling, tuple(reasons), schedules=tuple(names))


def _floor_first(found: Bounds) -> Bounds:
    if found.floor <= found.ceiling:
        return found
    text = f"the schedules' floor {found.floor} wins over their lower ceiling {found.ceiling}"
    reason = Reason(Code.FLOOR_ABOVE_CEILING, text)
    return found._replace(ceiling=found.floor, reasons=(*found.reasons, reason))


def _within_limits(found: Bounds, low: int, high: int) -> Bounds:
    floor, ceiling = max(low, min(found.floor, high)), max(low, min(found.ceiling, high))
    if (floor, ceiling) == (found.floor, found.ceiling):
        return found
    text = f"limits keep the bounds within {low} to {high}"
    reasons = (*found.reasons, Reason(Code.LIMITS, text))
    return found._replace(floor=floor, ceiling=ceiling, reasons=reasons)


def _guarded(found: Bounds, guard: Guard | None) -> Bounds:
    if guard is None:
        return found
    low = guard.min if guard.min is not None else 0
    high = guard.max if guard.max is not None else max(found.ceiling, low)
    floor, ceiling = min(max(found.floor, low), high), min(max(found.ceiling, low), high)
    if (floor, ceiling) == (found.floor, found.ceiling):
        return found
    text = f"the node's guard keeps the bounds within {low} to {high}"
    reasons = (*found.reasons, Reason(Code.GUARD, text))
    return found._replace(floor=floor, ceiling=ceiling, reasons=reasons)
