"""Many votes, one need. The largest wins; whoever cannot see blocks scale-in and nothing else."""

from typing import NamedTuple

from shared.config.models import AtLeast
from shared.engine.model import Bounds, NoData, Vote, Wanted
from shared.engine.plan import Plan
from shared.engine.reasons import Code, Reason
from shared.engine.wording import instances


class Need(NamedTuple):
    """The combined need.

    Attributes:
        size: how many instances are needed, before any limit.
        has_data: whether anything was seen; only then the need is remembered.
        reason: where it comes from.
    """

    size: int
    has_data: bool
    reason: Reason


def combine(plan: Plan, votes: tuple[Vote, ...], size: int, bounds: Bounds) -> Need:
    """Combine the votes of one tick for a pool of `size`."""
    if not votes:
        return _without_policies(plan, size, bounds)
    if len(votes) == 1 and isinstance(votes[0].opinion, Wanted):
        return Need(votes[0].opinion.size, has_data=True, reason=votes[0].reason)
    blind = [vote for vote in votes if isinstance(vote.opinion, NoData)]
    if len(blind) == len(votes):
        return _missing(plan, size, blind)
    best = max(
        (vote for vote in votes if isinstance(vote.opinion, Wanted)),
        key=lambda vote: vote.opinion.size if isinstance(vote.opinion, Wanted) else 0,
        default=None,
    )
    if best is None or not isinstance(best.opinion, Wanted):
        seeing = next(vote for vote in votes if not isinstance(vote.opinion, NoData))
        return Need(size, has_data=True, reason=Reason(Code.NO_OPINION, seeing.reason.text))
    need = best.opinion.size
    if blind and need < size:
        names = ", ".join(vote.policy for vote in blind)
        text = f"{best.policy} needs {need}, but without data of {names} nothing is removed"
        return Need(size, has_data=True, reason=Reason(Code.PARTIAL_DATA, text))
    if len(votes) > 1 and need != size:
        text = f"policy {best.policy} has the largest need, {instances(need)}: {best.reason.text}"
        return Need(need, has_data=True, reason=Reason(Code.LARGEST_NEED, text))
    return Need(need, has_data=True, reason=best.reason)


def _missing(plan: Plan, size: int, blind: list[Vote]) -> Need:
    why = blind[0].reason.text
    rule = plan.pool.on_missing_metrics
    if isinstance(rule, AtLeast) and rule.at_least > size:
        text = f"no policy has data ({why}): at least {instances(rule.at_least)} are kept"
        return Need(rule.at_least, has_data=False, reason=Reason(Code.ON_MISSING_AT_LEAST, text))
    text = f"no policy has data: {why}"
    return Need(size, has_data=False, reason=Reason(Code.ON_MISSING_HOLD, text))


def _without_policies(plan: Plan, size: int, bounds: Bounds) -> Need:
    if plan.schedules:
        text = f"without policies the schedules' floor is the need: {instances(bounds.floor)}"
        return Need(bounds.floor, has_data=True, reason=Reason(Code.SCHEDULE_ONLY, text))
    text = "the pool has no policies and no schedules: its size is kept within its limits"
    return Need(size, has_data=False, reason=Reason(Code.NO_POLICIES, text))
