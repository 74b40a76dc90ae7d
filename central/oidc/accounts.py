"""The account behind an identity: found by issuer and subject, made or brought up to date."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from central.oidc.model import Identity, OidcRefusedError
from central.store import audit, people, sessions, users
from central.store.audit import Actor, Event
from central.store.users import User

NO_EMAIL = (
    "Keycloak sends no e-mail address: give the client the scope `email` (mapper `email`), and the "
    "user an address."
)


def account_of(connection: Connection, identity: Identity, nobody: Actor) -> User:
    """The account that an identity may log in to, with today's role.

    Audits what it makes or changes in the same transaction; the account's lock is held.

    Raises:
        OidcRefusedError: no role, no e-mail, deactivated, or the e-mail is another account's.
    """
    people.lock_without_actor(connection)
    if identity.email is None:
        raise OidcRefusedError(NO_EMAIL, shown=NO_EMAIL)
    user = users.by_subject(connection, identity.issuer, identity.subject)
    if user is None:
        return _create(connection, identity, nobody)
    if not user.is_active:
        raise OidcRefusedError(f"the account {user.email} is deactivated")
    if identity.role is None and not user.role_override:
        raise OidcRefusedError(f"none of the roles of {user.email} in Keycloak is mapped to one")
    return _update(connection, user, identity, nobody)


def end_sessions_of(connection: Connection, identity: Identity) -> None:
    """End what an identity still has open here, after a login that was refused."""
    user = users.by_subject(connection, identity.issuer, identity.subject)
    if user is not None:
        sessions.revoke(connection, user.id)


def _create(connection: Connection, identity: Identity, nobody: Actor) -> User:
    email = identity.email or ""
    if not identity.email_verified:
        raise OidcRefusedError(f"the address {email} is not verified in Keycloak")
    if users.by_email(connection, email) is not None:
        raise OidcRefusedError(
            f"an account {email} exists already; an ADMIN may link it: "
            f"poolkeeper user link {email} {identity.subject}"
        )
    if identity.role is None:
        raise OidcRefusedError(f"none of the roles of {email} in Keycloak is mapped to one")
    key = (identity.issuer, identity.subject)
    user_id = users.create_from_keycloak(connection, email, identity.role, identity.full_name, key)
    details = {"role": identity.role, "issuer": identity.issuer, "subject": identity.subject}
    event = Event("USER_CREATED", "USER", "user", str(user_id), email, details=details)
    made = users.require(connection, email)
    audit.append(connection, _as(nobody, made), event)
    return made


def _update(connection: Connection, user: User, identity: Identity, nobody: Actor) -> User:
    wanted: dict[str, Any] = {"full_name": identity.full_name}
    if identity.email_verified:
        wanted["email"] = identity.email
    if identity.role is not None and not user.role_override:
        wanted["role"] = identity.role
    differing = {name: value for name, value in wanted.items() if getattr(user, name) != value}
    if "email" in differing and users.by_email(connection, str(identity.email)) is not None:
        raise OidcRefusedError(
            f"the address of {user.email} in Keycloak is now {identity.email}, which is another "
            "account's here"
        )
    if not differing:
        return user
    changed = people.apply(connection, user, differing)
    now = users.by_id(connection, user.id) or user
    details = {"before": dict(changed.before), "after": dict(changed.after), "by": "keycloak"}
    event = Event("USER_CHANGED", "USER", "user", str(user.id), user.email, details=details)
    audit.append(connection, _as(nobody, now), event)
    return now


def _as(nobody: Actor, user: User) -> Actor:
    return replace(nobody, user_id=user.id, email=user.email, role=user.role)
