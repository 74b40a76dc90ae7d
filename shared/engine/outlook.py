"""What would have to change for something to happen: waiting turned into information."""

from datetime import datetime

from shared.engine.model import Decision, Resize, Vote
from shared.engine.plan import Plan, next_change
from shared.engine.wording import amount, clock, instances, span


def outlook(plan: Plan, decision: Decision, now: datetime) -> list[str]:
    """Sentences such as "adds 2 above CpuUtilization 66 %", nearest cause first."""
    if isinstance(decision, Resize):
        return []
    verdict = decision.verdict
    lines = [
        f"in {span(wait.until - now)}, when {wait.what}, it is decided anew"
        for wait in sorted(verdict.waits, key=lambda wait: wait.until)
    ]
    percents = {name: percent for name, percent, _ in plan.voters}
    if verdict.bounds.override is None:
        for vote in verdict.votes:
            lines.extend(edges_of(vote, verdict.current, percent=percents.get(vote.policy, False)))
    edge = next_change(plan, now)
    if edge is not None:
        lines.append(f"in {span(edge - now)}, at {clock(edge)}, a schedule or override changes")
    return lines


def edges_of(vote: Vote, size: int, *, percent: bool) -> list[str]:
    """Which values of a policy's metric would change a pool of `size`, and by how much."""
    lines = []
    if vote.grows is not None and vote.grows.size > size:
        above = amount(vote.grows.value, percent=percent)
        lines.append(f"{vote.policy} adds {vote.grows.size - size} above {vote.label} {above}")
    if vote.shrinks is not None and vote.shrinks.size < size:
        below = amount(vote.shrinks.value, percent=percent)
        fewer = instances(size - vote.shrinks.size)
        lines.append(f"{vote.policy} could do with {fewer} less below {vote.label} {below}")
    return lines
