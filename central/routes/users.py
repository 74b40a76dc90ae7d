"""Accounts, for ADMINs: made, changed, linked to Keycloak, reset, deactivated, deleted."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from central.deps import Deps, Operator, Parts, aware
from central.deps import audited as audited_change
from central.errors import ApiError
from central.passwords import check_new_password
from central.store import audit, people, sessions, users
from central.store.audit import Actor, Event
from shared.wire_people import (
    KeycloakLink,
    NewPassword,
    NewUser,
    SessionView,
    UserChange,
    UserView,
)

router = APIRouter(prefix="/v1/users", tags=["users"])
Email = Annotated[str, Path(min_length=3, max_length=255)]


@router.get("")
def list_users(deps: Parts, _actor: Operator) -> list[UserView]:
    """Every account, by address."""
    with deps.engine.connect() as connection:
        return [_view(row) for row in users.page(connection)]


@router.get("/{email}")
def show_user(email: Email, deps: Parts, _actor: Operator) -> UserView:
    """One account."""
    return _show(deps, email)


@router.post("", status_code=201)
async def create_user(body: NewUser, deps: Parts, actor: Operator) -> UserView:
    """Make a local account."""
    email = body.email.strip().lower()
    check_new_password(body.password)
    hashed = await deps.passwords.hash(body.password)

    def _write() -> UserView:
        event = Event("USER_CREATED", "USER", "user", None, email, details={"role": body.role})
        with audited_change(deps, actor, event) as connection:
            people.begin(connection, actor)
            users.create(connection, email, body.role, body.full_name, hashed)
        return _show(deps, email)

    return await run_in_threadpool(_write)


@router.patch("/{email}")
def change_user(email: Email, body: UserChange, deps: Parts, actor: Operator) -> UserView:
    """Change a role, an override, a name or the standing; the account's sessions end if need be.

    With `role_override`, Keycloak's roles are ignored at every later login until it is cleared.
    """
    values = body.model_dump(exclude_unset=True, exclude={"override_reason"})
    values = {name: value for name, value in values.items() if value is not None}
    if "override_reason" in body.model_fields_set:
        values["override_reason"] = body.override_reason
    if body.role_override is False:
        values["override_reason"] = None
    return _change(deps, actor, email, "USER_CHANGED", values)


@router.delete("/{email}", status_code=204, response_class=Response)
def delete_user(email: Email, deps: Parts, actor: Operator) -> None:
    """Delete an account; its audit rows stay, with the address that it had."""
    event = Event("USER_DELETED", "USER", "user", None, email)
    with audited_change(deps, actor, event) as connection:
        people.remove(connection, actor, email)


@router.post("/{email}/password", status_code=204, response_class=Response)
async def reset_password(email: Email, body: NewPassword, deps: Parts, actor: Operator) -> None:
    """Give a local account a new password; its sessions end."""
    check_new_password(body.new)
    hashed = await deps.passwords.hash(body.new)
    await run_in_threadpool(_reset, deps, actor, email, hashed)


@router.post("/{email}/link")
def link_to_keycloak(email: Email, body: KeycloakLink, deps: Parts, actor: Operator) -> UserView:
    """Hand an account over to a subject in Keycloak; its password goes, its sessions end."""
    if deps.oidc is None:
        raise ApiError(409, "no_keycloak", "Keycloak is not set up here.")
    values = {
        "auth_provider": "keycloak",
        "keycloak_issuer": deps.oidc.settings.issuer,
        "keycloak_user_id": body.subject,
        "hashed_password": None,
    }
    return _change(deps, actor, email, "USER_LINKED", values)


@router.get("/{email}/sessions")
def sessions_of_user(email: Email, deps: Parts, _actor: Operator) -> list[SessionView]:
    """An account's live sessions, newest first."""
    with deps.engine.connect() as connection:
        rows = sessions.of_user(connection, users.require(connection, email).id)
    return [SessionView.model_validate({**aware(row), "current": False}) for row in rows]


@router.delete("/{email}/sessions", status_code=204, response_class=Response)
def revoke_sessions(email: Email, deps: Parts, actor: Operator) -> None:
    """End every session of an account at once."""
    event = Event("SESSIONS_REVOKED", "USER", "user", None, email)
    with audited_change(deps, actor, event) as connection:
        sessions.revoke(connection, users.require(connection, email).id)


def _change(deps: Deps, actor: Actor, email: str, action: str, values: dict[str, Any]) -> UserView:
    """Change an account and audit what differs, in one transaction; a refusal is audited too."""
    event = Event(action, "USER", "user", None, email)
    try:
        with deps.engine.begin() as connection:
            done = people.change(connection, actor, email, values)
            details = {
                "before": masked(done.before),
                "after": masked(done.after),
                "sessions_ended": done.sessions_ended,
            }
            who = Event(action, "USER", "user", str(done.user.id), email, details=details)
            audit.append(connection, actor, who)
    except ApiError as error:
        with deps.engine.begin() as connection:
            audit.append(connection, actor, event.failed(error.error))
        raise
    return _show(deps, email)


def masked(values: Any) -> dict[str, Any]:
    """What may stand in the audit: a password is only ever `set` or null."""
    secret = "hashed_password"  # noqa: S105 # a column's name
    return {
        name: ("set" if value is not None else None) if name == secret else value
        for name, value in values.items()
    }


def _reset(deps: Deps, actor: Actor, email: str, hashed: str) -> None:
    with deps.engine.connect() as connection:
        user = users.by_email(connection, email)
    if user is not None and user.auth_provider == "keycloak":
        raise ApiError(409, "keycloak", f"{email} logs in through Keycloak and has no password.")
    _change(deps, actor, email, "PASSWORD_RESET", {"hashed_password": hashed})


def _show(deps: Deps, email: str) -> UserView:
    with deps.engine.connect() as connection:
        wanted = users.require(connection, email).email
        (row,) = (row for row in users.page(connection) if row["email"] == wanted)
    return _view(row)


def _view(row: dict[str, Any]) -> UserView:
    follows = row["auth_provider"] == "keycloak" and not row["role_override"]
    return UserView.model_validate({**aware(row), "role_owner": "keycloak" if follows else "admin"})
