"""Patches for many nodes: written, shown for each, rolled out in stages."""

import hashlib
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from central.deps import Deps, Editor, Parts, Reader
from central.errors import ApiError
from central.routes import rollouts as api
from central.store import fleet
from central.store.audit import Actor
from central.web.diffs import diff_view
from central.web.forms import Form, PageForm, checked
from central.web.notices import see
from central.web.rendering import page
from shared.edit_lines import edits_of
from shared.wire_edits import RolloutPlan, RolloutRequest

router = APIRouter(prefix="/rollouts", tags=["pages"], include_in_schema=False)
PAGE_SIZE = 50
FIELDS = (
    *("edits", "which", "region", "nodes", "batch", "allow_shrink", "deadline_minutes"),
    "skip_silent",
)
URGENCY = ("failed", "pushed", "waiting", "skipped", "applied")  # what to look at first
MOST_SHOWN = 200  # of a page that asks for itself every five seconds
Every = Annotated[str, Query(max_length=3)]
Number = Annotated[int, Path(ge=1, le=2**31 - 2)]


@router.get("")
def rollouts_page(
    request: Request,
    deps: Parts,
    actor: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Roll-outs, newest first, and the form for a new one."""
    values = _list(deps, actor, before)
    return page(request, "rollouts.html", **values, **_typed(Form([])), problem=None)


@router.post("/preview")
def preview(request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """What a patch would do to each node; nothing is changed."""
    try:
        plan = api.start_rollout(deps, actor, _wish(form, dry_run=True))
    except ApiError as error:
        return _again(request, deps, actor, form, error)
    return _plan_page(request, deps, form, plan)


@router.post("")
def start(request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Begin what was shown; if it would be something else by now, show that first."""
    try:
        if form.get("seen"):
            plan = api.start_rollout(deps, actor, _wish(form, dry_run=True))
            if _seen(plan) != form.get("seen"):
                return _plan_page(request, deps, form, plan, status=409)
        started = api.start_rollout(deps, actor, _wish(form, dry_run=False))
    except ApiError as error:
        return _again(request, deps, actor, form, error)
    return see(f"/rollouts/{started.id}", "started")


@router.get("/{number}")
def rollout_page(
    number: Number, request: Request, deps: Parts, actor: Reader, every: Every = ""
) -> Response:
    """One roll-out, which keeps itself fresh while it runs."""
    return page(request, "rollout.html", **_one(deps, actor, number, every=every == "yes"))


@router.get("/{number}/live")
def live(number: Number, request: Request, deps: Parts, actor: Reader) -> Response:
    """What the page asks for every five seconds."""
    values = _one(deps, actor, number, every=False)
    answer = page(request, "_rollout_live.html", **values)
    if values["rollout"].state != "running":
        answer.headers["HX-Refresh"] = "true"  # what one may do about it is another thing now
    return answer


@router.post("/{number}/halt")
def halt(number: Number, deps: Parts, actor: Editor) -> Response:
    """Push to no further node."""
    api.halt_rollout(deps, actor, number)
    return see(f"/rollouts/{number}", "halted")


@router.post("/{number}/resume")
def resume(number: Number, deps: Parts, actor: Editor) -> Response:
    """Go on; nodes that failed get another chance."""
    api.resume_rollout(deps, actor, number)
    return see(f"/rollouts/{number}", "resumed")


def _wish(form: Form, *, dry_run: bool) -> RolloutRequest:
    """The form as the API takes it.

    Raises:
        ApiError: 422 naming what is wrong with which field.
    """
    try:
        edits = edits_of(form.raw("edits"))
    except ValueError as error:
        raise ApiError(422, "invalid_edit", f"Edits: {error}") from None
    if not edits:
        raise ApiError(422, "invalid_edit", "Edits: write at least one, such as PATH=VALUE.")
    which = form.get("which")
    names = form.raw("nodes").replace(",", " ").split() if which == "nodes" else []
    values = {
        "edits": [edit.model_dump() for edit in edits],
        "all": which == "all",
        "region": form.get("region") or None if which == "region" else None,
        "nodes": names,
        "batch": form.number("batch", "Nodes at a time", default=1),
        "allow_shrink": form.number("allow_shrink", "Instances that may end", default=0),
        "deadline_seconds": 60 * form.number("deadline_minutes", "Minutes to wait", default=10),
        "skip_silent": form.get("skip_silent") == "yes",
        "dry_run": dry_run,
    }
    return checked(RolloutRequest, values)


def _plan_page(
    request: Request, deps: Deps, form: Form, plan: RolloutPlan, status: int = 200
) -> Response:
    with deps.engine.connect() as connection:
        regions = fleet.regions(connection)
    values = {"plan": plan, "seen": _seen(plan), "moved": status != 200, "regions": regions}
    values |= {"diffs": {one.node: diff_view(one.diff) for one in plan.nodes}}
    return page(request, "rollout_preview.html", status=status, **values, **_typed(form))


def _seen(plan: RolloutPlan) -> str:
    """A digest of what a plan does, to tell whether it does the same later."""
    found = [(one.node, one.state, one.config_hash or "") for one in plan.nodes]
    return hashlib.sha256(repr((found, plan.terminates)).encode()).hexdigest()


def _again(request: Request, deps: Deps, actor: Actor, form: Form, error: ApiError) -> Response:
    values = {**_list(deps, actor, None), **_typed(form), "problem": error}
    return page(request, "rollouts.html", status=error.status, **values)


def _typed(form: Form) -> dict[str, Any]:
    return {"typed": {name: form.raw(name) for name in FIELDS}}


def _list(deps: Deps, actor: Actor, before: int | None) -> dict[str, Any]:
    rows = api.list_rollouts(deps, actor, before=before, limit=PAGE_SIZE + 1)
    with deps.engine.connect() as connection:
        now, regions = fleet.database_now(connection), fleet.regions(connection)
    older = {"before": rows[PAGE_SIZE - 1].id} if len(rows) > PAGE_SIZE else None
    return {
        "now": now,
        "rollouts": rows[:PAGE_SIZE],
        "regions": regions,
        "next_url": f"/rollouts?{urlencode(older)}" if older else None,
        "first_url": "/rollouts" if before else None,
    }


def _one(deps: Deps, actor: Actor, number: int, *, every: bool) -> dict[str, Any]:
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
    found = api.one_rollout(deps, actor, number)
    shown = sorted(found.nodes, key=lambda node: (URGENCY.index(node.state), node.stage))
    if not every:
        del shown[MOST_SHOWN:]
    return {"now": now, "rollout": found, "shown": shown, "every": every}
