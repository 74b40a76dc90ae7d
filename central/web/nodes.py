"""The page of all nodes by name, and how a new one is made."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from central.deps import Deps, Editor, Parts, Reader
from central.errors import ApiError
from central.routes.nodes import create_node
from central.store import fleet
from central.web.forms import Form, PageForm, checked
from central.web.rendering import page, secret_page
from shared.wire_operator import NewNode

router = APIRouter(tags=["pages"], include_in_schema=False)
PAGE_SIZE = 100
Text = Annotated[str, Query(max_length=255)]


@router.get("/nodes")
def nodes_page(
    request: Request, deps: Parts, _actor: Reader, after: Text = "", search: Text = ""
) -> Response:
    """Nodes by name, a page at a time."""
    return page(request, "nodes.html", **_values(deps, after.strip(), search.strip()))


@router.post("/nodes")
def create(request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Make a node; the answer shows its key, once."""
    wanted = {name: form.get(name) for name in ("name", "region")}
    try:
        body = checked(NewNode, {**wanted, "description": form.get("description") or None})
        made = create_node(body, deps, actor)
    except ApiError as error:
        values = {**_values(deps, "", ""), "typed": form, "problem": error}
        return page(request, "nodes.html", status=error.status, **values)
    return secret_page(request, "node_key.html", node=made.name, key=made.api_key, until=None)


def _values(deps: Deps, after: str, search: str) -> dict[str, Any]:
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        found = fleet.by_name(
            connection, after=after or None, search=search or None, limit=PAGE_SIZE + 1
        )
    more = len(found) > PAGE_SIZE
    query = {"search": search} if search else {}
    last = found[PAGE_SIZE - 1]["name"] if more else ""
    return {
        "now": now,
        "nodes": found[:PAGE_SIZE],
        "search": search,
        "first_url": f"/nodes?{urlencode(query)}" if after else None,
        "next_url": f"/nodes?{urlencode({**query, 'after': last})}" if more else None,
        "typed": Form([]),
        "problem": None,
    }
