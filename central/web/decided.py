"""The last decisions about a pool in plain words. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.config.models import Config
from shared.engine.wording import amount, instances

MOST_SHOWN = 12
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
    for vote in explained["decision"]["votes"]:
        lines += _edges(vote, size, percent=percent.get(vote.get("policy"), False))
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
    same = ("current_instances", "config_hash")
    in_force = (explained["decision"].get("bounds") or {}).get("override") is None
    return in_force and all(explained[name] == newest[name] for name in same)


def _edges(vote: Mapping[str, Any], size: int, *, percent: bool) -> list[str]:
    lines, policy = [], vote.get("policy", "?")
    grows, shrinks = vote.get("grows"), vote.get("shrinks")
    if grows and grows["size"] > size:
        above = amount(grows["value"], percent=percent)
        lines.append(f"{policy} adds {grows['size'] - size} above {above}")
    if shrinks and shrinks["size"] < size:
        below = amount(shrinks["value"], percent=percent)
        fewer = instances(size - shrinks["size"])
        lines.append(f"{policy} could do with {fewer} less below {below}")
    return lines
