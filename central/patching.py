"""What edits make of configurations, before anything is changed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from central.blast import losses
from central.yaml_edit import edited, unified
from central.yaml_text import EditError
from shared.config.capabilities import told, unknown_keys
from shared.config.hashing import config_hash
from shared.config.loader import load
from shared.config.models import Config
from shared.config.problems import ConfigError
from shared.wire_edits import Edit, NodePatch, RolloutRequest, Terminates


@dataclass(frozen=True, slots=True)
class Chosen:
    """A node as it is when a rollout is planned; `sizes` of its reporting pools by OCID."""

    id: int
    name: str
    status: str
    active_hash: str | None
    text: str | None
    sizes: dict[str, int]
    capabilities: list[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One node's part in a new rollout."""

    node_id: int
    stage: int
    base_hash: str
    config_hash: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """A text after edits; validated."""

    text: str
    config: Config
    hash: str


def result(text: str, edits: Sequence[Edit]) -> Result:
    """Edit a text and validate what comes out.

    Raises:
        EditError: an edit does not fit the file.
        ConfigError: the new text is no usable configuration.
    """
    new = edited(text, edits)
    return Result(new, load(new), config_hash(new))


def terminated_by(config: Config, sizes: Mapping[str, int], now: datetime) -> list[Terminates]:
    """What a configuration terminates at once, as it is told to operators."""
    return [
        Terminates(pool=loss.pool, terminates=loss.lost, of=loss.size)
        for loss in losses(config, sizes, now)
    ]


@dataclass(slots=True)
class PatchPlan:
    """What a rollout would do: a patch for each node, its steps, and what is wrong with it."""

    patches: list[NodePatch] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)

    @property
    def terminates(self) -> int:
        """How many instances it terminates at once, on all nodes."""
        return sum(loss.terminates for patch in self.patches for loss in patch.terminates)


def plan_patch(chosen: Sequence[Chosen], request: RolloutRequest, now: datetime) -> PatchPlan:
    """Edit and validate every node's configuration; equal texts are edited once."""
    plan = PatchPlan()
    known: dict[str, Result | EditError | ConfigError] = {}
    missing = sorted(set(request.nodes) - {node.name for node in chosen})
    plan.problems += [{"node": name, "message": "there is no such node"} for name in missing]
    for node in chosen:
        _plan_node(plan, node, request, known, now)
    return plan


def _plan_node(
    plan: PatchPlan,
    node: Chosen,
    request: RolloutRequest,
    known: dict[str, Result | EditError | ConfigError],
    now: datetime,
) -> None:
    if node.text is None or node.active_hash is None:
        _leave_out(plan, node, "it has no configuration", refused=bool(request.nodes))
        return
    if node.active_hash not in known:
        known[node.active_hash] = _outcome(node.text, request.edits)
    found = known[node.active_hash]
    if isinstance(found, EditError):
        plan.problems.append({"node": node.name, "message": str(found)})
        return
    if isinstance(found, ConfigError):
        plan.problems += [
            {"node": node.name, "line": p.line, "column": p.column, "path": p.path,
             "message": p.message}
            for p in found.problems
        ]  # fmt: skip
        return
    if found.hash == node.active_hash:
        plan.patches.append(NodePatch(node=node.name, state="unchanged"))
        return
    if unknown := unknown_keys(found.config, node.capabilities):
        message = f"its agent is too old for {told(unknown)}: upgrade it first"
        plan.problems.append({"node": node.name, "message": message})
        return
    if node.status != "ACTIVE":
        reason = f"it is {node.status} and could not acknowledge"
        _leave_out(plan, node, reason, refused=not request.skip_silent)
        return
    patch = NodePatch(
        node=node.name,
        state="changes",
        base_hash=node.active_hash,
        config_hash=found.hash,
        diff=unified(node.name, node.text, found.text),
        terminates=terminated_by(found.config, node.sizes, now),
    )
    plan.patches.append(patch)
    stage = len(plan.steps) // request.batch + 1
    plan.steps.append(Step(node.id, stage, node.active_hash, found.hash, found.text))


def _leave_out(plan: PatchPlan, node: Chosen, reason: str, *, refused: bool) -> None:
    if refused:
        plan.problems.append({"node": node.name, "message": reason})
    else:
        plan.patches.append(NodePatch(node=node.name, state="left_out", reason=reason))


def _outcome(text: str, edits: Sequence[Edit]) -> Result | EditError | ConfigError:
    try:
        return result(text, edits)
    except (EditError, ConfigError) as error:
        return error
