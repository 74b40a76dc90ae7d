"""The configuration of one node: edited, reviewed, saved. Nothing that was typed is lost."""

from typing import Any

from fastapi import APIRouter, Request, Response

from central.deps import Deps, Editor, Parts, Reader
from central.errors import ApiError
from central.replays import Wanted, replay_config
from central.reviews import database_now, review
from central.routes.config_adoption import adopt_config
from central.routes.configs import push_config
from central.store import configs, fleet, nodes
from central.web.diffs import diff_view
from central.web.forms import Form, PageForm
from central.web.notices import see
from central.web.rendering import is_htmx, page
from central.web.replay_drawing import drawing
from central.yaml_edit import unified
from shared.wire_review import ConfigReview

router = APIRouter(prefix="/nodes/{name}/config", tags=["pages"], include_in_schema=False)
RANGES = ((1, "24 hours"), (7, "7 days"), (14, "14 days"))
SOON = 7  # changes of bounds that are shown at once; the others unfold
WRONG_TEXT, STALE = "invalid_config", "changed"
ASK_AGAIN = frozenset({"shrinks", "pool_owned", "invalid"})


@router.get("")
def editor_page(name: str, request: Request, deps: Parts, _actor: Reader) -> Response:
    """The active configuration in the editor; read-only for those who may not change it."""
    return _editor(request, deps, name)


@router.get("/state")
def state(name: str, request: Request, deps: Parts, _actor: Reader) -> Response:
    """What the page asks for every five seconds: pending, in sync, rejected."""
    return page(request, "_config_state.html", **_state(deps, name))


@router.post("/review")
def review_page(
    name: str, request: Request, deps: Parts, _actor: Editor, form: PageForm
) -> Response:
    """What the text would do, before it is saved."""
    text, base = form.raw("yaml"), form.get("base_hash")
    if form.get("step") == "edit":
        return _editor(request, deps, name, text=text, base=base)
    try:
        shown = review(deps, name, text.encode())
    except ApiError as error:
        if error.code != WRONG_TEXT:
            raise
        return _editor(request, deps, name, text=text, base=base, problem=error)
    if (shown.base_hash or "") != base:
        return _conflict(request, deps, name, text, base)
    return _review(request, shown, text)


@router.post("")
def save(name: str, request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Activate the text, if nobody changed the configuration since it was opened."""
    text, base = form.raw("yaml"), form.get("base_hash")
    try:
        allowed = _allowed(form)
        take_over = form.get("take_over") == "yes"
        push_config(name, deps, actor, text.encode(), allowed, take_over, base)
    except ApiError as error:
        if error.code == STALE:
            return _conflict(request, deps, name, text, base)
        if error.code == WRONG_TEXT:
            return _editor(request, deps, name, text=text, base=base, problem=error)
        if error.code in ASK_AGAIN:
            return _review(request, review(deps, name, text.encode()), text, error)
        raise
    return see(f"/nodes/{name}/config", "saved")


@router.post("/replay")
def replay_part(
    name: str, request: Request, deps: Parts, _actor: Reader, form: PageForm
) -> Response:
    """A replay over the pool's own history; the review asks for it once it is shown."""
    with deps.engine.connect() as connection:
        now = database_now(connection)
    days = form.number("days", "The time", default=1)
    wanted = Wanted.last(name, form.raw("yaml"), form.get("pool") or None, days, now)
    try:
        report = replay_config(deps, wanted)
    except ApiError as error:
        if error.code != "no_history" or not is_htmx(request):
            raise
        return page(request, "_config_replay_none.html", why=error.error)  # nothing went wrong
    template = "_config_replay.html" if is_htmx(request) else "config_replay.html"
    return page(request, template, report=report, drawing=drawing(report))


@router.post("/adopt")
def adopt(name: str, deps: Parts, actor: Editor) -> Response:
    """Ask the node for what it runs, when central knows less."""
    adopt_config(name, deps, actor)
    return see(f"/nodes/{name}/config", "adoption-asked")


def _allowed(form: Form) -> int:
    allowed = form.number("allow_shrink", "Instances that may be terminated", default=0)
    if not 0 <= allowed <= 1_000_000:
        raise ApiError(422, "invalid", "Instances that may be terminated: 0 to 1,000,000.")
    return allowed


def _state(deps: Deps, name: str) -> dict[str, Any]:
    with deps.engine.connect() as connection:
        known = nodes.show(connection, name)
        (judged,) = fleet.by_name(connection, name=name, limit=1)
        return {"node": {**judged, **known}, "now": fleet.database_now(connection)}


def _editor(
    request: Request,
    deps: Deps,
    name: str,
    *,
    text: str | None = None,
    base: str | None = None,
    problem: ApiError | None = None,
    conflict: dict[str, Any] | None = None,
) -> Response:
    """The editor: with the active text, or with what was typed and why it is shown again."""
    values = _state(deps, name)
    with deps.engine.connect() as connection:
        active = configs.active_or_none(connection, values["node"]["id"])
    return page(
        request,
        "config.html",
        status=412 if conflict else 200 if problem is None else problem.status,
        **values,
        active=active,
        text=text if text is not None else "" if active is None else active["yaml_config"],
        typed=text is not None,
        base_hash=base if base is not None else "" if active is None else active["config_hash"],
        problem=problem,
        conflict=conflict,
    )


def _conflict(request: Request, deps: Deps, name: str, text: str, base: str) -> Response:
    """Somebody saved meanwhile: what they changed, and what saving this text would undo."""
    with deps.engine.connect() as connection:
        active = configs.active(connection, name)
        opened = configs.text_of_hash(connection, base) or ""
    theirs = active["yaml_config"]
    conflict = {
        "theirs": diff_view(unified(name, opened, theirs)),
        "mine": diff_view(unified(name, theirs, text)),
    }
    return _editor(request, deps, name, text=text, base=active["config_hash"], conflict=conflict)


def _review(
    request: Request, shown: ConfigReview, text: str, problem: ApiError | None = None
) -> Response:
    return page(
        request,
        "config_review.html",
        status=200 if problem is None else problem.status,
        review=shown,
        diff=diff_view(shown.diff),
        text=text,
        total=sum(loss.terminates for loss in shown.terminates),
        pool=next(iter(shown.touched or shown.pools), None),
        ranges=RANGES,
        soon=SOON,
        problem=problem,
    )
