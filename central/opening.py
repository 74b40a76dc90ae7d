"""Starting a session for somebody who has proved who they are."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

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


def open_session(
    deps: Deps, nobody: Actor, user: User, kind: sessions.Kind, provider_session: str | None = None
) -> Opened:
    """Start a session with a fresh secret and audit the login, in one transaction."""
    secret = new_session_token()
    opening = sessions.Opening(
        secret.digest, kind, nobody.ip_address, nobody.user_agent, provider_session
    )
    actor = replace(nobody, user_id=user.id, email=user.email, role=user.role)
    details = {"kind": kind, "with": "keycloak" if provider_session else "password"}
    event = Event("LOGIN", "AUTH", "user", str(user.id), user.email, details=details)
    with deps.engine.begin() as connection:
        ends = sessions.start(connection, user.id, opening)
        audit.append(connection, actor, event)
    return Opened(secret.text, user, ends.replace(tzinfo=UTC))
