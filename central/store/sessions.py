"""Sessions: rows on the server, found by a hash, ended by idleness, age, or a word."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from central.store.users import Role
from central.tables import users
from central.tables_support import user_sessions

Kind = Literal["bearer", "cookie"]
LONGEST_HOURS = 12
IDLE_MINUTES: dict[Kind, int] = {"cookie": 30, "bearer": 240}
TOUCH_SECONDS = 60  # how exactly `last_seen_at` is kept: a write per request would cost too much
REMEMBER_DAYS = 30


@dataclass(frozen=True, slots=True)
class Opening:
    """A session that is about to start; `provider_session` is Keycloak's own id of it."""

    token_hash: str
    kind: Kind = "bearer"
    ip_address: str | None = None
    user_agent: str | None = None
    provider_session: str | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """A live session and its account as it is now."""

    id: int
    user_id: int
    email: str
    full_name: str
    role: Role
    expires_at: datetime


def start(connection: Connection, user_id: int, opening: Opening) -> datetime:
    """Start a session; returns when it ends at the latest (UTC)."""
    values = {
        "user_id": user_id,
        "token_hash": opening.token_hash,
        "kind": opening.kind,
        "expires_at": func.now() + text(f"interval '{LONGEST_HOURS} hours'"),
        "ip_address": opening.ip_address,
        "user_agent": opening.user_agent and opening.user_agent[:1000],
        "provider_session": opening.provider_session,
    }
    statement = insert(user_sessions).values(values).returning(user_sessions.c.expires_at)
    expires: datetime = connection.execute(statement).scalar_one()
    return expires


def find(connection: Connection, token_hash: str, kind: Kind, *, touch: bool = True) -> Live | None:
    """The live session of a token, with the role read now; None for any other token.

    Marks the session as seen, at most once a minute; not without `touch`, which is how a page
    that keeps itself fresh lets its session end from idleness.
    """
    statement = (
        select(
            user_sessions.c.id,
            users.c.id,
            users.c.email,
            users.c.full_name,
            users.c.role,
            user_sessions.c.expires_at,
            user_sessions.c.last_seen_at < func.now() - text(f"interval '{TOUCH_SECONDS} s'"),
        )
        .join(users, user_sessions.c.user_id == users.c.id)
        .where(
            user_sessions.c.token_hash == token_hash,
            user_sessions.c.kind == kind,
            users.c.is_active,
            _is_live(),
        )
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    *values, stale = row
    live = Live(*values)
    if stale and touch:
        seen = update(user_sessions).where(user_sessions.c.id == live.id)
        connection.execute(seen.values(last_seen_at=func.now()))
    return live


def of_user(connection: Connection, user_id: int) -> list[dict[str, Any]]:
    """The live sessions of an account, newest first."""
    columns = ("id", "kind", "created_at", "last_seen_at", "expires_at", "ip_address", "user_agent")
    statement = (
        select(*(user_sessions.c[name] for name in columns))
        .where(user_sessions.c.user_id == user_id, _is_live())
        .order_by(user_sessions.c.id.desc())
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def revoke(connection: Connection, user_id: int, *, only: int | None = None) -> int:
    """End an account's sessions at once, or `only` one of them; returns how many ended."""
    mine = user_sessions.c.user_id == user_id
    chosen = mine if only is None else and_(mine, user_sessions.c.id == only)
    return _end(connection, chosen)


def revoke_of_provider(connection: Connection, sid: str | None, subject: str | None) -> int:
    """End what Keycloak says has ended: one of its sessions, or everything of a subject."""
    if sid is not None:
        return _end(connection, user_sessions.c.provider_session == sid)
    theirs = select(users.c.id).where(users.c.keycloak_user_id == subject)
    return _end(connection, user_sessions.c.user_id.in_(theirs))


def forget_old(connection: Connection) -> None:
    """Delete what ended long ago."""
    past = func.now() - text(f"interval '{REMEMBER_DAYS} days'")
    connection.execute(delete(user_sessions).where(user_sessions.c.expires_at < past))


def _end(connection: Connection, which: ColumnElement[bool]) -> int:
    statement = update(user_sessions).where(which, user_sessions.c.revoked_at.is_(None))
    return connection.execute(statement.values(revoked_at=func.now())).rowcount


def _is_live() -> ColumnElement[bool]:
    awake = or_(
        *(
            and_(
                user_sessions.c.kind == kind,
                user_sessions.c.last_seen_at > func.now() - text(f"interval '{minutes} minutes'"),
            )
            for kind, minutes in IDLE_MINUTES.items()
        )
    )
    return and_(
        user_sessions.c.revoked_at.is_(None), user_sessions.c.expires_at > func.now(), awake
    )
