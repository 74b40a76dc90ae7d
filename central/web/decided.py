"""The last decisions about a pool in plain words. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from shared.config.models import Config
from shared.config.policy_models import Policy, TargetTracking
from shared.engine.decide import decide
from shared.engine.model import Memory, Observation, PoolState, Reading
from shared.engine.outlook import edges_of
from shared.engine.plan import Plan

MOST_SHOWN = 12
CALM = 50.0
SILENT = "The agent gave no reason."


@dataclass(frozen=True, slots=True)
class Run:
    """Decisions that said the same, one after the other.

    Attributes:
        at: the newest of them.
        since: the oldest of them that is known.
        text: the newest one's reason.
        event: a resize or a failed one, such as SCALE_OUT; None for a hold.
        rows: how many rows there are of it.
    """

    at: datetime
    since: datetime
    text: str
    event: str | None
    size: int
    rows: int = 1


def runs(rows: Iterable[Mapping[str, Any]], most: int = MOST_SHOWN) -> list[Run]:
    """The newest decisions from rows that come newest first; events always stand alone."""
    found: list[Run] = []
    last: tuple[object, ...] | None = None
    for row in rows:
        kind = (row["code"], row["current_instances"], row["scaling_event"])
        if found and kind == last and row["scaling_event"] is None:
            found[-1] = replace(found[-1], since=row["timestamp"], rows=found[-1].rows + 1)
            continue
        if len(found) == most:
            break
        text = row["scaling_reason"] or SILENT
        moment = row["timestamp"]
        found.append(Run(moment, moment, text, row["scaling_event"], row["current_instances"]))
        last = kind
    return found


def edges(config: Config | None, pool: str, size: int, active: int, now: datetime) -> list[str]:
    """What would change the size, such as "cpu adds 1 above CpuUtilization 66 %".

    The engine itself is asked, for a pool of that size that is on target and whose running
    instances all report. An override silences policies: then there is nothing to tell.
    """
    if config is None or config.pool(pool) is None:
        return []
    plan = Plan.of(config, pool)
    at = now.replace(tzinfo=UTC)
    readings = {
        policy.name: _calm(policy, size, active, at - plan.pool.metric_lag)
        for policy in plan.pool.policies
    }
    state = PoolState(size, active, "RUNNING")
    verdict = decide(plan, Observation(at, state, metrics=readings), Memory()).verdict
    if verdict.bounds.override is not None:
        return []
    percent = {name: percent for name, percent, _ in plan.voters}
    return [
        line
        for vote in verdict.votes
        for line in edges_of(vote, size, percent=percent[vote.policy])
    ]


def _calm(policy: Policy, size: int, active: int, at: datetime) -> Reading:
    """A reading that asks for nothing; what it would take to ask does not depend on it."""
    value = CALM
    if isinstance(policy, TargetTracking):
        value = float(policy.target) * (max(size, 1) if policy.per_instance else 1)
    return Reading(value=value, at=at, samples=active)
