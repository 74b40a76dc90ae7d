"""The page of one node: what it is and does, and what one may do about it."""

from typing import Any

from fastapi import APIRouter, Request, Response

from central.deps import Deps, Editor, Parts, Reader
from central.errors import ApiError
from central.routes import node_care
from central.routes.configs import retry_config
from central.store import fleet, history, node_end, node_keys, nodes
from central.web.forms import PageForm
from central.web.notices import see
from central.web.rendering import page, secret_page

router = APIRouter(prefix="/nodes/{name}", tags=["pages"], include_in_schema=False)
EVENTS = 8
OVERLAPS = ((86_400, "a day"), (3600, "an hour"), (604_800, "a week"), (0, "not at all"))


@router.get("")
def node_page(name: str, request: Request, deps: Parts, _actor: Reader) -> Response:
    """The page."""
    values = _live(deps, name)
    with deps.engine.connect() as connection:
        keys = node_keys.listed(connection, name)
    return page(request, "node.html", **values, keys=keys, overlaps=OVERLAPS)


@router.get("/live")
def live(name: str, request: Request, deps: Parts, _actor: Reader) -> Response:
    """What the page asks for every five seconds."""
    return page(request, "_node_live.html", **_live(deps, name))


@router.post("/rotate-key")
def rotate(name: str, request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Make a new key; the answer shows it, once."""
    overlap = form.number("overlap_seconds", "The overlap", default=node_care.DAY)
    if not 0 <= overlap <= 30 * node_care.DAY:
        raise ApiError(422, "invalid", "The overlap: choose at most 30 days.")
    made = node_care.rotate_key(name, deps, actor, overlap)
    return secret_page(
        request, "node_key.html", node=name, key=made.api_key, until=made.previous_expires_at
    )


@router.post("/renew-key")
def renew(name: str, deps: Parts, actor: Editor) -> Response:
    """Have the agent renew its key, which nobody else gets to see."""
    node_care.rotate_through_agent(name, deps, actor)
    return see(f"/nodes/{name}", "key-renewal-asked")


@router.post("/revoke-keys")
def revoke(name: str, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Revoke the keys before the newest, or all of them."""
    which = form.get("which")
    if which not in ("previous", "all"):
        raise ApiError(422, "invalid", "Say which keys: the previous ones or all.")
    node_care.revoke_keys(name, deps, actor, "all" if which == "all" else "previous")
    return see(f"/nodes/{name}", "keys-revoked")


@router.post("/maintenance")
def maintenance(name: str, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Begin or end maintenance."""
    reason = form.text("reason", "The reason")
    if form.get("on") == "yes":
        node_care.begin_maintenance(name, deps, actor, reason)
        return see(f"/nodes/{name}", "maintenance-began")
    node_care.end_maintenance(name, deps, actor, reason)
    return see(f"/nodes/{name}", "maintenance-ended")


@router.post("/retry")
def retry(name: str, deps: Parts, actor: Editor) -> Response:
    """Offer the configuration once more that the node refused."""
    retry_config(name, deps, actor)
    return see(f"/nodes/{name}", "retried")


@router.get("/delete")
def delete_page(name: str, request: Request, deps: Parts, _actor: Editor) -> Response:
    """What would go, and the question whether it shall."""
    return _deletion(request, deps, name)


@router.post("/delete")
def delete(name: str, request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Delete the node, if its name was typed."""
    try:
        node_care.delete_node(name, deps, actor, form.get("confirm"))
    except ApiError as error:
        if error.code != "unconfirmed":
            raise
        return _deletion(request, deps, name, error)
    return see("/nodes", "deleted")


def _deletion(request: Request, deps: Deps, name: str, problem: ApiError | None = None) -> Response:
    with deps.engine.connect() as connection:
        pools, rows = node_end.weigh(connection, name)
    status = 200 if problem is None else problem.status
    values = {"node": name, "pools": pools, "rows": rows, "problem": problem}
    return page(request, "node_delete.html", status=status, **values)


def _live(deps: Deps, name: str) -> dict[str, Any]:
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        known = nodes.show(connection, name)
        (judged,) = fleet.by_name(connection, name=name, limit=1)
        pools = fleet.pools_of(connection, [known["id"]])[known["id"]]
        lines = deps.sparks.lines(connection, [pool["id"] for pool in pools], now)
        events = history.lifecycle_page(connection, node=name, before=None, limit=EVENTS)
    return {
        "now": now,
        "node": {**judged, **known},
        "pools": pools,
        "sparks": lines,
        "events": events,
    }
