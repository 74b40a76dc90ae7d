"""Nodes: made by operators, listed with what central last heard of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from central.deps import Editor, Parts, Reader, audited, aware
from central.routes.charts import CSV, Form, answer
from central.store import nodes
from central.store.audit import Event
from shared.wire_operator import CreatedNode, NewNode, NodeView

router = APIRouter(prefix="/v1/nodes", tags=["nodes"])


@router.post("", status_code=201)
def create_node(body: NewNode, deps: Parts, actor: Editor) -> CreatedNode:
    """Make a node; its API key is in this answer and nowhere else."""
    event = Event("NODE_CREATED", "NODE", "node", None, body.name, details={"region": body.region})
    with audited(deps, actor, event) as connection:
        node_id, secret = nodes.create(connection, body.name, body.region, body.description)
    return CreatedNode(id=node_id, name=body.name, region=body.region, api_key=secret.text)


@router.get("", response_model=list[NodeView], responses=CSV)
def list_nodes(
    deps: Parts,
    _actor: Reader,
    after: Annotated[str | None, Query(max_length=255)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    form: Form = "json",
) -> Response:
    """Nodes by name, from the one after `after` on."""
    with deps.engine.connect() as connection:
        rows = nodes.page(connection, after=after, limit=limit)
    return answer(NodeView, rows, form)


@router.get("/{name}")
def show_node(name: str, deps: Parts, _actor: Reader) -> NodeView:
    """One node."""
    with deps.engine.connect() as connection:
        return NodeView.model_validate(aware(nodes.show(connection, name)))
