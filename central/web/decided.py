"""The last decisions about a pool in plain words. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.config.models import Config
from shared.engine.model import Edge
from shared.engine.wording import amount, instances

MOST_SHOWN = 12
ABSURD = 1e15  # of a metric; an integer of JSON may be too long for a float
SAME = ("current_instances", "config_hash")
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


def edges(
    explained: Mapping[str, Any] | None, newest: Mapping[str, Any], percent: Mapping[str, bool]
) -> list[str]:
    """What would change the size, such as "cpu adds 1 above 66 %".

    A decision that was explained at another size or under another configuration tells nothing of
    now. `percent` says which policies read percentages.
    """
    if explained is None or not _still_holds(explained, newest):
        return []
    size = newest["current_instances"]
    lines = []
    votes = explained["decision"]["votes"]
    for vote in votes if isinstance(votes, list) else []:
        if isinstance(vote, dict):
            policy = str(vote.get("policy"))
            lines += _edges(policy, vote, size, percent=percent.get(policy, False))
    return lines


def percent_policies(config: Config | None, pool: str) -> dict[str, bool]:
    """Whether each policy of a pool reads percentages."""
    pools: Sequence[Any] = [] if config is None else config.pools
    return {
        policy.name: policy.is_percent
        for found in pools
        if found.name == pool
        for policy in found.policies
    }


def _still_holds(explained: Mapping[str, Any], newest: Mapping[str, Any]) -> bool:
    bounds = explained["decision"].get("bounds")
    in_force = isinstance(bounds, dict) and bounds.get("override") is None
    return in_force and all(explained[name] == newest[name] for name in SAME)


def _edges(policy: str, vote: Mapping[str, Any], size: int, *, percent: bool) -> list[str]:
    lines = []
    grows, shrinks = _edge(vote.get("grows")), _edge(vote.get("shrinks"))
    if grows is not None and grows.size > size:
        above = amount(grows.value, percent=percent)
        lines.append(f"{policy} adds {grows.size - size} above {above}")
    if shrinks is not None and shrinks.size < size:
        below = amount(shrinks.value, percent=percent)
        fewer = instances(size - shrinks.size)
        lines.append(f"{policy} could do with {fewer} less below {below}")
    return lines


def _edge(told: object) -> Edge | None:
    """An edge out of a decision, which is whatever an agent sent."""
    if not isinstance(told, dict):
        return None
    value, size = told.get("value"), told.get("size")
    if isinstance(value, bool) or not isinstance(value, int | float) or type(size) is not int:
        return None
    return Edge(float(value), size) if abs(value) < ABSURD else None
