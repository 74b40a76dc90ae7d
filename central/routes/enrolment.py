"""Machines that become nodes: tokens for operators to hand out, and their use."""

from typing import Any

from fastapi import APIRouter, Request

from central.credentials import bearer
from central.deps import Editor, Parts, anonymous, audited, aware
from central.errors import ApiError
from central.store import enrolment
from central.store.audit import Event
from central.tokens import is_enrolment_token
from shared.wire_enrolment import Enrolment, EnrolmentToken, EnrolmentTokenView, NewEnrolmentToken
from shared.wire_operator import CreatedNode

router = APIRouter(prefix="/v1", tags=["enrolment"])


@router.post("/enroll-tokens", status_code=201)
def create_token(body: NewEnrolmentToken, deps: Parts, actor: Editor) -> EnrolmentToken:
    """Make a token that enrols one node; its text is in this answer and nowhere else."""
    event = Event(
        "ENROLMENT_TOKEN_CREATED",
        "NODE",
        "enrolment_token",
        None,
        body.name or body.region,
        details=body.model_dump(),
    )
    with audited(deps, actor, event) as connection:
        row, secret = enrolment.create(connection, body, actor)
    return EnrolmentToken.model_validate(aware({**row, "token": secret.text}))


@router.get("/enroll-tokens")
def list_tokens(deps: Parts, _actor: Editor) -> list[EnrolmentTokenView]:
    """Tokens, newest first, without their text."""
    with deps.engine.connect() as connection:
        rows = enrolment.listed(connection)
    return [EnrolmentTokenView.model_validate(aware(row)) for row in rows]


@router.delete("/enroll-tokens/{token_id}")
def revoke_token(token_id: int, deps: Parts, actor: Editor) -> EnrolmentTokenView:
    """Make a token useless; a node that it has enrolled stays."""
    event = Event("ENROLMENT_TOKEN_REVOKED", "NODE", "enrolment_token", str(token_id))
    with audited(deps, actor, event) as connection:
        row = enrolment.revoke(connection, token_id)
    return EnrolmentTokenView.model_validate(aware(row))


@router.post("/enroll", status_code=201)
def enrol(body: Enrolment, request: Request, deps: Parts) -> CreatedNode:
    """Become a node, with an enrolment token as bearer; the node's key is told once.

    A repeat with the same nonce, because the answer was lost, gets a key for the same node.
    """
    machine = anonymous(request)
    deps.enrolments.enter(machine.ip_address)
    token = bearer(request)
    if token is None or not is_enrolment_token(token):
        raise ApiError(401, "unauthorized", enrolment.UNKNOWN)
    details: dict[str, Any] = {"region": body.region}
    event = Event("NODE_ENROLLED", "NODE", "node", None, body.name, details=details)
    with audited(deps, machine, event) as connection:
        row = enrolment.lock(connection, token)
        details |= {"token": row["id"], "made_by": row["created_by_email"]}
        made = enrolment.enrol(connection, row, body)
    return CreatedNode(
        id=made.node_id, name=body.name, region=made.region, api_key=made.secret.text
    )
