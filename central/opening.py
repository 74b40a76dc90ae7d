"""Starting a session for somebody who has proved who they are."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from central.deps import Deps
from central.store import audit, sessions
from central.store.audit import Actor, Event
from central.store.users import User
from central.tokens import new_session_token


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that just started; `text` is its secret, told once."""

    text: str
    user: User
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Opening:
    """Which kind of session, by which way in, and Keycloak's own session behind it."""

    kind: sessions.Kind
    way: Literal["password", "keycloak"] = "password"
    provider_session: str | None = None


def open_session(deps: Deps, nobody: Actor, user: User, opening: Opening) -> Opened:
    """Start a session with a fresh secret and audit the login, in one transaction."""
    secret = new_session_token()
    row = sessions.Opening(
        secret.digest,
        opening.kind,
        nobody.ip_address,
        nobody.user_agent,
        opening.provider_session,
    )
    actor = replace(nobody, user_id=user.id, email=user.email, role=user.role)
    details = {"session": opening.kind, "way": opening.way}
    event = Event("LOGIN", "AUTH", "user", str(user.id), user.email, details=details)
    with deps.engine.begin() as connection:
        ends = sessions.start(connection, user.id, row)
        audit.append(connection, actor, event)
    return Opened(secret.text, user, ends.replace(tzinfo=UTC))
