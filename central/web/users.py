"""Accounts, for ADMINs: made, changed, linked to Keycloak, reset, deleted."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from central.deps import Deps, Operator, Parts
from central.errors import ApiError
from central.routes import users as api
from central.store.audit import Actor
from central.web.forms import Form, PageForm, checked
from central.web.notices import see
from central.web.rendering import page
from shared.wire_people import KeycloakLink, NewPassword, NewUser, UserChange

router = APIRouter(prefix="/users", tags=["pages"], include_in_schema=False)
ROLES = ("USER", "DEVOPS", "ADMIN")
SWITCHES = ("role_override", "is_active")
FIELDS = ("full_name", "role", "override_reason", *SWITCHES)


@router.get("")
def users_page(request: Request, deps: Parts, actor: Operator) -> Response:
    """Every account."""
    return _list(request, deps, actor)


@router.post("")
async def create(request: Request, deps: Parts, actor: Operator, form: PageForm) -> Response:
    """Make a local account."""
    texts = {name: form.get(name) for name in ("email", "full_name", "role")}
    try:
        body = checked(NewUser, {**texts, "password": form.raw("password")})
        made = await api.create_user(body, deps, actor)
    except ApiError as error:
        return await run_in_threadpool(_list, request, deps, actor, form, error)
    return see(_address(made.email), "user-created")


@router.get("/{email}")
def user_page(email: str, request: Request, deps: Parts, actor: Operator) -> Response:
    """One account."""
    return _one(request, deps, actor, email)


@router.post("/{email}")
def change(email: str, request: Request, deps: Parts, actor: Operator, form: PageForm) -> Response:
    """Change a name, a role and who decides about it, or the standing.

    Only what was changed in the form is sent on: what another ADMIN changed since stays so.
    """
    given = {name: form.get(name) for name in FIELDS}
    changed = {name: text for name, text in given.items() if [text] != form.all(f"was_{name}")}
    values: dict[str, Any] = {
        name: text == "yes" if name in SWITCHES else text for name, text in changed.items()
    }
    if values.get("override_reason") == "":
        values["override_reason"] = None
    try:
        api.change_user(email, checked(UserChange, values), deps, actor)
    except ApiError as error:
        return _one(request, deps, actor, email, error)
    return see(_address(email), "user-changed")


@router.post("/{email}/password")
async def reset(
    email: str, request: Request, deps: Parts, actor: Operator, form: PageForm
) -> Response:
    """Give a local account a new password."""
    try:
        body = checked(NewPassword, {"new": form.raw("new")})
        await api.reset_password(email, body, deps, actor)
    except ApiError as error:
        return await run_in_threadpool(_one, request, deps, actor, email, error)
    return see(_address(email), "password-reset")


@router.post("/{email}/link")
def link(email: str, request: Request, deps: Parts, actor: Operator, form: PageForm) -> Response:
    """Hand an account over to a subject in Keycloak."""
    try:
        body = checked(KeycloakLink, {"subject": form.get("subject")})
        api.link_to_keycloak(email, body, deps, actor)
    except ApiError as error:
        return _one(request, deps, actor, email, error)
    return see(_address(email), "user-linked")


@router.post("/{email}/sessions")
def end_sessions(email: str, deps: Parts, actor: Operator) -> Response:
    """End every session of an account."""
    api.revoke_sessions(email, deps, actor)
    return see(_address(email), "sessions-ended")


@router.post("/{email}/delete")
def delete(email: str, request: Request, deps: Parts, actor: Operator, form: PageForm) -> Response:
    """Delete an account, if its address was typed."""
    if form.get("confirm").lower() != email.lower():
        why = ApiError(422, "unconfirmed", "To delete this account, type its address.")
        return _one(request, deps, actor, email, why)
    try:
        api.delete_user(email, deps, actor)
    except ApiError as error:
        return _one(request, deps, actor, email, error)
    return see("/users", "deleted")


def _address(email: str) -> str:
    return f"/users/{quote(email, safe='@')}"


def _list(
    request: Request,
    deps: Deps,
    actor: Actor,
    typed: Form | None = None,
    problem: ApiError | None = None,
) -> Response:
    status = 200 if problem is None else problem.status
    values: dict[str, Any] = {"users": api.list_users(deps, actor), "roles": ROLES}
    values |= {"typed": typed or Form([]), "problem": problem}
    return page(request, "users.html", status=status, **values)


def _one(
    request: Request, deps: Deps, actor: Actor, email: str, problem: ApiError | None = None
) -> Response:
    user = api.show_user(email, deps, actor)
    status = 200 if problem is None else problem.status
    values: dict[str, Any] = {"user": user, "roles": ROLES, "problem": problem}
    values |= {"opened": {name: _as_field(getattr(user, name)) for name in FIELDS}}
    values |= {"sessions": api.sessions_of_user(user.email, deps, actor)}
    values |= {"keycloak": deps.oidc is not None, "own": user.id == actor.user_id}
    return page(request, "user.html", status=status, **values)


def _as_field(value: str | bool | None) -> str:
    """A value as the form of its page sends it back when nobody touches it."""
    return ("yes" if value else "") if isinstance(value, bool) else value or ""
