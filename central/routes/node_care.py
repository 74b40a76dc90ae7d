"""A node's keys, its maintenance and its end."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from central.deps import Editor, Parts, Reader, audited, aware
from central.store import key_rotation, node_end, node_keys, nodes
from central.store.audit import Event
from shared.wire_operator import KeyView, NodeView, RotatedKey

router = APIRouter(prefix="/v1/nodes/{name}", tags=["nodes"])
DAY = 86_400
Reason = Annotated[str | None, Query(max_length=1000)]


@router.get("/keys")
def list_keys(name: str, deps: Parts, _actor: Reader) -> list[KeyView]:
    """A node's keys, newest first, without their text."""
    with deps.engine.connect() as connection:
        rows = node_keys.listed(connection, name)
    return [KeyView.model_validate(aware(row)) for row in rows]


@router.post("/keys", status_code=201)
def rotate_key(
    name: str,
    deps: Parts,
    actor: Editor,
    overlap_seconds: Annotated[int, Query(ge=0, le=30 * DAY)] = DAY,
) -> RotatedKey:
    """Make a new key, told only in this answer; the present one works for the overlap."""
    details = {"overlap_seconds": overlap_seconds}
    event = Event("NODE_KEY_ROTATED", "NODE", "node", None, name, details=details)
    with audited(deps, actor, event) as connection:
        secret, until = node_keys.rotate(connection, name, overlap_seconds)
    row = aware({"node": name, "api_key": secret.text, "previous_expires_at": until})
    return RotatedKey.model_validate(row)


@router.post("/keys/rotation", status_code=202)
def rotate_through_agent(
    name: str,
    deps: Parts,
    actor: Editor,
    overlap_seconds: Annotated[int | None, Query(ge=3600, le=30 * DAY)] = None,
) -> NodeView:
    """Have the node's agent renew its key, which nobody else gets to see.

    The present keys end when the new one is seen in use, or with the overlap if that is earlier.
    """
    details = {"overlap_seconds": overlap_seconds}
    event = Event("NODE_KEY_ROTATION_ASKED", "NODE", "node", None, name, details=details)
    with audited(deps, actor, event) as connection:
        key_rotation.ask(connection, name, overlap_seconds)
        return NodeView.model_validate(aware(nodes.show(connection, name)))


@router.delete("/keys")
def revoke_keys(
    name: str, deps: Parts, actor: Editor, which: Literal["previous", "all"]
) -> dict[str, int]:
    """Revoke every key, or all but the newest; they fail on every replica within a second."""
    event = Event("NODE_KEYS_REVOKED", "NODE", "node", None, name, details={"which": which})
    with audited(deps, actor, event) as connection:
        return {"revoked": node_keys.revoke(connection, name, keep_newest=which == "previous")}


@router.put("/maintenance")
def begin_maintenance(name: str, deps: Parts, actor: Editor, reason: Reason = None) -> NodeView:
    """Expect silence of a node: it is not called offline until its maintenance ends."""
    event = Event("MAINTENANCE_BEGAN", "NODE", "node", None, name, reason)
    with audited(deps, actor, event) as connection:
        node_end.set_maintenance(connection, name, on=True, reason=reason)
        return NodeView.model_validate(aware(nodes.show(connection, name)))


@router.delete("/maintenance")
def end_maintenance(name: str, deps: Parts, actor: Editor, reason: Reason = None) -> NodeView:
    """Expect heartbeats again, from one whole deadline on."""
    event = Event("MAINTENANCE_ENDED", "NODE", "node", None, name, reason)
    with audited(deps, actor, event) as connection:
        node_end.set_maintenance(connection, name, on=False, reason=reason)
        return NodeView.model_validate(aware(nodes.show(connection, name)))


@router.delete("")
def delete_node(
    name: str, deps: Parts, actor: Editor, confirm: Annotated[str, Query(max_length=255)]
) -> dict[str, str]:
    """Delete a node with its pools and all of its history; `confirm` repeats its name.

    Its keys fail at once. History goes in batches, which may take a while; a request that was cut
    off may be repeated.
    """
    event = Event("NODE_DELETED", "NODE", "node", None, name)
    with audited(deps, actor, event) as connection:
        node_id = node_end.begin_delete(connection, name, confirm)
    node_end.finish_delete(deps.engine, node_id)
    return {"deleted": name}
