"""Tokens by which machines become nodes, made and revoked on the page of nodes."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from central.deps import Editor, Parts
from central.errors import ApiError
from central.routes import enrolment as api
from central.web.forms import PageForm, checked
from central.web.nodes import show_nodes
from central.web.notices import see
from central.web.rendering import secret_page
from shared.wire_enrolment import NewEnrolmentToken

router = APIRouter(prefix="/nodes/enroll-tokens", tags=["pages"], include_in_schema=False)


@router.post("")
def create(request: Request, deps: Parts, actor: Editor, form: PageForm) -> Response:
    """Make a token; the answer shows it, in the command that installs the agent, once."""
    name, region = form.get("token_name"), form.get("token_region")
    wish = {
        "name": name or None,
        "region": region or None,
        "expires_seconds": form.get("expires_seconds"),
        "replaces": form.get("replaces") == "yes",
    }
    try:
        _check_region(region)
        made = api.create_token(checked(NewEnrolmentToken, wish), deps, actor)
    except ApiError as error:
        return show_nodes(request, deps, actor, typed=form, refused_token=error)
    is_whole = bool(name) and not set("*?") & set(name)
    return secret_page(
        request,
        "enrol_token.html",
        made=made,
        node=name if is_whole else None,
        pattern=name or "any name",
        central=deps.public_url or str(request.base_url).rstrip("/"),
        version=request.app.version,
    )


@router.post("/{token_id}/revoke")
def revoke(
    token_id: Annotated[int, Path(ge=1, le=2**31 - 1)], deps: Parts, actor: Editor
) -> Response:
    """Make a token useless."""
    api.revoke_token(token_id, deps, actor)
    return see("/nodes", "token-revoked")


def _check_region(region: str) -> None:
    if not region:  # the installer has no other way to learn it
        raise ApiError(422, "invalid", "Region: say in which one the node will be.")
