"""Changes to accounts under one lock: the last usable admin stays, and whoever acts may still."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from central.errors import ApiError
from central.store import sessions, users
from central.store.audit import Actor
from central.store.users import User

PEOPLE_LOCK = 0x706F6F6C04  # "pool" 04: one change of accounts at a time, on all replicas
LAST_ADMIN = (
    "This is the last active ADMIN with a local password: make another one first, or nobody could "
    "administer while Keycloak is down."
)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change did, for the audit: the fields that differ, before and after."""

    user: User
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    sessions_ended: int


def begin(connection: Connection, actor: Actor) -> None:
    """Take the lock on accounts, then check that the actor is (still) an ADMIN.

    Two admins who demote each other at the same time wait here for one another; the second one
    finds out that the first was faster.

    Raises:
        ApiError: 403 when the actor has been demoted or deactivated meanwhile.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PEOPLE_LOCK})
    now = None if actor.user_id is None else users.by_id(connection, actor.user_id)
    if now is None or not now.is_active or now.role != "ADMIN":
        raise ApiError(403, "forbidden", "You are no longer an ADMIN.")


def lock_without_actor(connection: Connection) -> None:
    """Take the lock on accounts for a login or for central itself."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PEOPLE_LOCK})


def change(connection: Connection, actor: Actor, email: str, values: Mapping[str, Any]) -> Changed:
    """Change an account; a new role, deactivation or a new password ends its sessions.

    Raises:
        ApiError: 404; 403 for one's own role; 409 for the last usable admin.
    """
    begin(connection, actor)
    user = users.require(connection, email, lock=True)
    wanted = {name: value for name, value in values.items() if getattr(user, name) != value}
    if actor.user_id == user.id and wanted.keys() & {"role", "role_override", "is_active"}:
        raise ApiError(403, "forbidden", "Nobody changes their own role or standing.")
    return apply(connection, user, wanted)


def apply(connection: Connection, user: User, wanted: Mapping[str, Any]) -> Changed:
    """Write what differs, keep the last usable admin, end sessions; the lock must be held."""
    before = {name: getattr(user, name) for name in wanted}
    if wanted:
        users.change(connection, user.id, **wanted)
        keep_an_admin(connection, user)
    ends_sessions = wanted.keys() & {"role", "is_active", "hashed_password", "keycloak_user_id"}
    ended = sessions.revoke(connection, user.id) if ends_sessions else 0
    return Changed(user, before, dict(wanted), ended)


def remove(connection: Connection, actor: Actor, email: str) -> User:
    """Delete an account.

    Raises:
        ApiError: 404; 403 for one's own; 409 for the last usable admin.
    """
    begin(connection, actor)
    user = users.require(connection, email, lock=True)
    if actor.user_id == user.id:
        raise ApiError(403, "forbidden", "Nobody deletes their own account.")
    users.remove(connection, user.id)
    keep_an_admin(connection, user)
    return user


def keep_an_admin(connection: Connection, was: User) -> None:
    """Refuse what leaves no ADMIN who can log in; call it after the change, under the lock.

    Raises:
        ApiError: 409; the transaction must be rolled back.
    """
    if was.is_usable_admin and users.usable_admins(connection) == 0:
        raise ApiError(409, "last_admin", LAST_ADMIN)
