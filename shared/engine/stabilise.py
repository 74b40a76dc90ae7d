"""Stabilization: act on the smallest (out) or largest (in) need of a window.

A scale-in needs proof: the window must be covered from its start without a hole. A new pool, lost
memory, changed policies or a stop longer than the window leave its start uncovered.
"""

from datetime import datetime, timedelta

from shared.config.models import Stabilization
from shared.engine.model import NeedRun, Wait
from shared.engine.reasons import Code, Reason
from shared.engine.wording import instances, span

Needs = tuple[NeedRun, ...]


def remember(needs: Needs, now: datetime, need: int, hole: timedelta, rule: Stabilization) -> Needs:
    """Add this tick's need; what can no longer matter is dropped, so that memory stays small.

    Equal needs without a hole between them are one run. Runs that ended before both windows go,
    but for the last, which tells how long the pool has been watched.
    """
    if needs and needs[-1].need == need and timedelta(0) <= now - needs[-1].last <= hole:
        needs = (*needs[:-1], NeedRun(needs[-1].first, now, need))
    else:
        needs = (*needs, NeedRun(now, now, need))
    start = now - max(rule.scale_out, rule.scale_in)
    first = 0
    while first + 1 < len(needs) and needs[first].last < start and needs[first + 1].first <= start:
        first += 1
    return _compact(needs[first:], now - rule.scale_out, hole)


def _compact(needs: Needs, start_out: datetime, hole: timedelta) -> Needs:
    """Runs too old for growing matter for the largest need alone: a larger later one absorbs them.

    Nothing is lost by that: every window that still sees the older run sees the later one too.
    """
    if len(needs) == 1:
        return needs
    kept: list[NeedRun] = []
    for run in needs:
        wider = run
        while kept and kept[-1].last < start_out and kept[-1].need <= run.need:
            if wider.first - kept[-1].last > hole:
                break
            wider = NeedRun(kept.pop().first, run.last, run.need)
        kept.append(wider)
    return tuple(kept)


def _uncovered(needs: Needs, now: datetime, start: datetime, hole: timedelta) -> datetime | None:
    """From when on the window has been watched without a hole, if that is later than its start."""
    watched = now
    for run in reversed(needs):
        if watched - run.last > hole:
            break
        watched = run.first
        if watched <= start:
            return None
    return watched if watched > start else None


def stabilise(
    size: int, need: int, needs: Needs, now: datetime, rule: Stabilization, hole: timedelta
) -> tuple[int, Reason | None, Wait | None]:
    """The need to act on. `needs` holds this tick's need already."""
    if need > size:
        return _grow(size, need, needs, now, rule.scale_out)
    if need < size and rule.scale_in > timedelta(0):
        return _shrink(size, need, needs, now, rule.scale_in, hole)
    return need, None, None


def _grow(
    size: int, need: int, needs: Needs, now: datetime, window: timedelta
) -> tuple[int, Reason | None, Wait | None]:
    recent = [run for run in needs if run.last >= now - window]
    lowest = min(recent, key=lambda run: run.need, default=None)
    if lowest is None or lowest.need >= need:
        return need, None, None
    allowed = max(size, lowest.need)
    end = max(run.last for run in recent if run.need < need) + window
    text = f"within the last {span(window)} as few as {instances(lowest.need)} were enough"
    return allowed, Reason(Code.STABILIZING_OUT, text), Wait(end, "scale-out stabilization ends")


def _shrink(
    size: int, need: int, needs: Needs, now: datetime, window: timedelta, hole: timedelta
) -> tuple[int, Reason | None, Wait | None]:
    start = now - window
    watched = _uncovered(needs, now, start, hole)
    if watched is not None:
        text = f"scaling in needs {span(window)} of history and there is {span(now - watched)}"
        return size, Reason(Code.NO_HISTORY, text), Wait(watched + window, "history is complete")
    highest = max([run.need for run in needs if run.last >= start])
    if highest <= need:
        return need, None, None
    end = max([run.last for run in needs if run.need > need]) + window
    text = f"within the last {span(window)} up to {instances(highest)} were needed"
    wait = Wait(end, "scale-in stabilization ends")
    return min(size, highest), Reason(Code.STABILIZING_IN, text), wait
