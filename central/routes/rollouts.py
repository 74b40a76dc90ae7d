"""The same edits for many nodes: shown for all, checked for all, rolled out in stages."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import func, select

from central.deps import Deps, Editor, Parts, Reader, audited, aware
from central.errors import ApiError
from central.patching import PatchPlan, plan_patch
from central.rollout import event_of
from central.store import configs, rollouts
from central.store.audit import Actor, Event
from shared.wire_edits import (
    MOST_NODES,
    RolloutDetail,
    RolloutNode,
    RolloutPlan,
    RolloutRequest,
    RolloutView,
)

router = APIRouter(prefix="/v1/rollouts", tags=["rollouts"])
Number = Annotated[int, Path(ge=1, le=2**31 - 2)]
SHOWN_PROBLEMS = 1000


@router.post("")
def start_rollout(deps: Parts, actor: Editor, body: RolloutRequest) -> RolloutPlan:
    """Start a rollout, or with `dry_run` show each node's diff and what it would terminate.

    Every node's configuration is validated before any is activated.
    """
    if sum((bool(body.nodes), body.region is not None, body.all)) != 1:
        raise ApiError(422, "invalid", "Say which nodes: by name, or a region, or all.")
    return show_rollout(deps, body) if body.dry_run else begin_rollout(deps, actor, body)


def show_rollout(deps: Deps, body: RolloutRequest) -> RolloutPlan:
    """What a rollout would do.

    Raises:
        ApiError: 422 naming every node on which it cannot be done, and why.
    """
    return _told(_planned(deps, body), body)


def begin_rollout(deps: Deps, actor: Actor, body: RolloutRequest) -> RolloutPlan:
    """Start a rollout; central goes on with it by itself.

    Raises:
        ApiError: 409 it terminates more instances than agreed, or changes nothing; 422 as above.
    """
    plan = _planned(deps, body)
    if plan.terminates > body.allow_shrink:
        raise ApiError(
            409,
            "shrinks",
            f"This terminates {plan.terminates} instances now: add --allow-shrink "
            f"{plan.terminates} if that is meant.",
            details=[
                {"node": patch.node, **loss.model_dump()}
                for patch in plan.patches
                for loss in patch.terminates
            ],
        )
    if not plan.steps:
        raise ApiError(409, "unchanged", "Every node is so already: there is nothing to roll out.")
    edits = [edit.model_dump(mode="json") for edit in body.edits]
    names = [patch.node for patch in plan.patches if patch.state == "changes"]
    event = Event("ROLLOUT_STARTED", "CONFIG", "rollout", details={"edits": edits, "nodes": names})
    with audited(deps, actor, event) as connection:
        started = rollouts.start(connection, body, plan.steps, actor)
    return _told(plan, body, started)


@router.get("")
def list_rollouts(
    deps: Parts,
    _actor: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[RolloutView]:
    """Rollouts, newest first; `before` continues after the last one's id."""
    with deps.engine.connect() as connection:
        rows = rollouts.page(connection, before=before, limit=limit)
    return [RolloutView.model_validate(aware(row)) for row in rows]


@router.get("/{number}")
def one_rollout(deps: Parts, _actor: Reader, number: Number) -> RolloutDetail:
    """A rollout with what became of each node."""
    with deps.engine.connect() as connection:
        row = rollouts.show(connection, number)
    found = [RolloutNode.model_validate(aware(node)) for node in row.pop("nodes")]
    return RolloutDetail.model_validate({**aware(row), "nodes": found})


@router.post("/{number}/halt")
def halt_rollout(deps: Parts, actor: Editor, number: Number) -> RolloutDetail:
    """Push to no further node; what was pushed stays."""
    reason = f"halted by {actor.email}"
    with audited(deps, actor, event_of("ROLLOUT_HALTED", number, reason)) as connection:
        rollouts.move(connection, number, "halted", reason, was="running")
    return one_rollout(deps, actor, number)


@router.post("/{number}/resume")
def resume_rollout(deps: Parts, actor: Editor, number: Number) -> RolloutDetail:
    """Go on with a halted rollout; nodes that failed get another chance first."""
    with audited(deps, actor, event_of("ROLLOUT_RESUMED", number)) as connection:
        rollouts.move(connection, number, "running", was="halted")
        rollouts.try_again(connection, number, configs.RETRY_OFFERS)
    return one_rollout(deps, actor, number)


def _planned(deps: Deps, body: RolloutRequest) -> PatchPlan:
    with deps.engine.connect() as connection:
        chosen = rollouts.choose(connection, body)
        now = connection.execute(select(func.now())).scalar_one()
    if len(chosen) > MOST_NODES:
        sentence = f"{len(chosen)} nodes are too many at once: choose at most {MOST_NODES}."
        raise ApiError(422, "too_many", sentence)
    plan = plan_patch(chosen, body, now)
    if plan.problems:
        first = plan.problems[0]
        count = len({problem["node"] for problem in plan.problems})
        raise ApiError(
            422,
            "invalid_patch",
            f"Nothing was changed, because {count} node{'s' * (count != 1)} cannot take this: "
            f"{first['node']}: {first['message']}",
            plan.problems[:SHOWN_PROBLEMS],
        )
    return plan


def _told(plan: PatchPlan, body: RolloutRequest, started: int | None = None) -> RolloutPlan:
    stages = -(-len(plan.steps) // body.batch)
    return RolloutPlan(id=started, terminates=plan.terminates, stages=stages, nodes=plan.patches)
