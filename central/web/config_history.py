"""Every configuration a node has had, what each changed, and the way back to one of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from central.deps import Deps, Editor, Parts, Reader
from central.errors import ApiError
from central.reviews import review
from central.routes.configs import rollback_config
from central.store import configs, fleet, nodes
from central.web.diffs import diff_view
from central.web.forms import PageForm
from central.web.notices import see
from central.web.rendering import page
from central.yaml_edit import unified

router = APIRouter(prefix="/nodes/{name}/config", tags=["pages"], include_in_schema=False)
PAGE_SIZE = 30
Generation = Annotated[int, Query(ge=1, le=2**31 - 1)]


@router.get("/history")
def history_page(
    name: str,
    request: Request,
    deps: Parts,
    _actor: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """The versions, newest first."""
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        rows = configs.history(connection, name, before=before, limit=PAGE_SIZE + 1)
    more = rows[PAGE_SIZE - 1]["generation"] if len(rows) > PAGE_SIZE else None
    return page(
        request,
        "config_history.html",
        node=name,
        now=now,
        versions=rows[:PAGE_SIZE],
        before=before,
        more=more,
    )


@router.get("/versions/{generation}")
def version_page(
    name: str, generation: int, request: Request, deps: Parts, _actor: Reader
) -> Response:
    """One version: who made it, when, what it changed, and its text."""
    return page(request, "config_version.html", **_version(deps, name, generation))


@router.get("/rollback")
def rollback_page(
    name: str, request: Request, deps: Parts, _actor: Editor, generation: Generation
) -> Response:
    """What going back would change and terminate, and the question whether it shall."""
    return _confirm(request, deps, name, generation)


@router.post("/rollback")
def rollback(name: str, request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Activate an earlier version again, as a new one."""
    generation = form.number("generation", "The generation")
    allowed = form.number("allow_shrink", "Instances that may be terminated", default=0)
    if not 1 <= generation < 2**31 or not 0 <= allowed <= 1_000_000:
        raise ApiError(422, "invalid", "These numbers are out of range.")
    try:
        rollback_config(name, deps, actor, generation, allowed)
    except ApiError as error:
        if error.code != "shrinks":
            raise
        return _confirm(request, deps, name, generation, error)
    return see(f"/nodes/{name}/config", "rolled-back")


def _version(deps: Deps, name: str, generation: int) -> dict[str, Any]:
    if not 1 <= generation < 2**31:
        raise ApiError(404, "not_found", f"There is no generation {generation}.")
    with deps.engine.connect() as connection:
        row = configs.version(connection, name, generation)
        earlier = configs.history(connection, name, before=generation, limit=1)
        previous = earlier[0]["generation"] if earlier else None
        before = (
            "" if previous is None else configs.version(connection, name, previous)["yaml_config"]
        )
        now = fleet.database_now(connection)
    diff = diff_view(unified(name, before, row["yaml_config"]))
    return {"node": name, "now": now, "version": row, "previous": previous, "diff": diff}


def _confirm(
    request: Request, deps: Deps, name: str, generation: int, problem: ApiError | None = None
) -> Response:
    with deps.engine.connect() as connection:
        nodes.id_of(connection, name)
        row = configs.version(connection, name, generation)
        now = fleet.database_now(connection)
    shown = review(deps, name, row["yaml_config"].encode())
    return page(
        request,
        "config_rollback.html",
        status=200 if problem is None else problem.status,
        node=name,
        now=now,
        version=row,
        review=shown,
        diff=diff_view(shown.diff),
        total=sum(loss.terminates for loss in shown.terminates),
        problem=problem,
    )
