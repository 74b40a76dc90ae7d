"""The page of all nodes by name, and how a new one is made."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from central.deps import Deps, Editor, Parts, Reader
from central.errors import ApiError
from central.permissions import Permission, allows
from central.routes.enrolment import list_tokens
from central.routes.nodes import create_node
from central.store import fleet
from central.store.audit import Actor
from central.web.forms import Form, PageForm, checked
from central.web.rendering import page, secret_page
from shared.wire_enrolment import EnrolmentTokenView
from shared.wire_operator import NewNode

router = APIRouter(tags=["pages"], include_in_schema=False)
PAGE_SIZE = 100
SHOWN_TOKENS = 10
EXPIRIES = ((86_400, "a day"), (3600, "an hour"), (604_800, "a week"))
Text = Annotated[str, Query(max_length=255)]


@router.get("/nodes")
def nodes_page(
    request: Request, deps: Parts, actor: Reader, after: Text = "", search: Text = ""
) -> Response:
    """Nodes by name, a page at a time."""
    return show_nodes(request, deps, actor, after=after.strip(), search=search.strip())


@router.post("/nodes")
def create(request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Make a node; the answer shows its key, once."""
    wanted = {name: form.get(name) for name in ("name", "region")}
    try:
        body = checked(NewNode, {**wanted, "description": form.get("description") or None})
        made = create_node(body, deps, actor)
    except ApiError as error:
        return show_nodes(request, deps, actor, typed=form, refused_node=error)
    return secret_page(request, "node_key.html", node=made.name, key=made.api_key, until=None)


def show_nodes(
    request: Request,
    deps: Deps,
    actor: Actor,
    *,
    after: str = "",
    search: str = "",
    typed: Form | None = None,
    **refused: ApiError,
) -> Response:
    """The page; with what was typed into one of its forms, and why that was refused."""
    may_edit = allows(actor.role or "", Permission.EDIT)
    values = {
        **_values(deps, after, search),
        "tokens": _tokens(deps, actor) if may_edit else [],
        "expiries": EXPIRIES,
        "typed": typed or Form([]),
        "refused_node": None,
        "refused_token": None,
        **refused,
    }
    status = max((error.status for error in refused.values()), default=200)
    return page(request, "nodes.html", status=status, **values)


def _tokens(deps: Deps, actor: Actor) -> list[EnrolmentTokenView]:
    """Every token that is open, and what became of the newest others."""
    found = list_tokens(deps, actor)
    others = [token for token in found if token.state != "open"]
    return [token for token in found if token.state == "open"] + others[:SHOWN_TOKENS]


def _values(deps: Deps, after: str, search: str) -> dict[str, Any]:
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        regions = fleet.regions(connection)
        found = fleet.by_name(
            connection, after=after or None, search=search or None, limit=PAGE_SIZE + 1
        )
    more = len(found) > PAGE_SIZE
    query = {"search": search} if search else {}
    last = found[PAGE_SIZE - 1]["name"] if more else ""
    return {
        "now": now,
        "nodes": found[:PAGE_SIZE],
        "regions": regions,
        "search": search,
        "first_url": f"/nodes?{urlencode(query)}" if after else None,
        "next_url": f"/nodes?{urlencode({**query, 'after': last})}" if more else None,
    }
