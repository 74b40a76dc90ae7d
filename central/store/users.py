"""Operators: their accounts, their sessions, and how often a login may fail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from central.errors import ApiError
from central.tables import users
from central.tables_support import login_throttles, user_sessions

Role = Literal["USER", "DEVOPS", "ADMIN"]
SESSION_HOURS = 12


@dataclass(frozen=True, slots=True)
class User:
    """An account as central needs it to decide about a request."""

    id: int
    email: str
    full_name: str
    role: Role
    hashed_password: str | None
    is_active: bool


_columns = (
    users.c.id,
    users.c.email,
    users.c.full_name,
    users.c.role,
    users.c.hashed_password,
    users.c.is_active,
)


def create(connection: Connection, email: str, role: Role, name: str, hashed: str) -> int:
    """Add a local account; returns its id.

    Raises:
        ApiError: 409 when the address is taken.
    """
    values = {"email": email, "role": role, "full_name": name, "hashed_password": hashed}
    try:
        with connection.begin_nested():
            return int(
                connection.execute(insert(users).values(values).returning(users.c.id)).scalar_one()
            )
    except IntegrityError as error:
        raise ApiError(409, "exists", f"There is already a user {email!r}.") from error


def by_email(connection: Connection, email: str) -> User | None:
    """The account of an address, whatever its letters' case."""
    row = connection.execute(select(*_columns).where(users.c.email == email.lower())).one_or_none()
    return None if row is None else User(*row)


def open_session(
    connection: Connection, user: User, token_hash: str, ip: str | None, agent: str | None
) -> datetime:
    """Start a session; returns when it ends (UTC)."""
    ends = func.now() + text(f"interval '{SESSION_HOURS} hours'")
    values = {
        "user_id": user.id,
        "token_hash": token_hash,
        "expires_at": ends,
        "ip_address": ip,
        "user_agent": agent and agent[:1000],
    }
    statement = insert(user_sessions).values(values).returning(user_sessions.c.expires_at)
    expires: datetime = connection.execute(statement).scalar_one()
    return expires


def by_session(connection: Connection, token_hash: str) -> User | None:
    """The active account of a live session, its role read now, not at login."""
    statement = (
        select(*_columns)
        .join(user_sessions, user_sessions.c.user_id == users.c.id)
        .where(
            user_sessions.c.token_hash == token_hash,
            user_sessions.c.revoked_at.is_(None),
            user_sessions.c.expires_at > func.now(),
            users.c.is_active,
        )
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else User(*row)


def end_session(connection: Connection, token_hash: str) -> None:
    """End one session at once."""
    connection.execute(
        update(user_sessions)
        .where(user_sessions.c.token_hash == token_hash, user_sessions.c.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )


def seconds_blocked(connection: Connection, subjects: list[str]) -> float:
    """How long the longest block on any of these subjects still lasts; 0 when none does."""
    seconds = func.extract(
        "epoch", func.max(login_throttles.c.blocked_until) - text("now()::timestamp")
    )
    statement = select(seconds).where(login_throttles.c.subject.in_(subjects))
    return max(0.0, float(connection.execute(statement).scalar_one() or 0))


def count_failure(connection: Connection, subject: str, free: int) -> None:
    """Count a failed login; from `free` failures in an hour on, each doubles a block (≤15 min)."""
    connection.execute(
        text("""
            INSERT INTO login_throttles AS t (subject, failures) VALUES (:subject, 1)
            ON CONFLICT (subject) DO UPDATE SET
              failures = CASE WHEN t.window_started_at < now() - interval '1 hour'
                              THEN 1 ELSE t.failures + 1 END,
              window_started_at = CASE WHEN t.window_started_at < now() - interval '1 hour'
                              THEN now() ELSE t.window_started_at END,
              blocked_until = CASE WHEN t.failures + 1 >= :free
                               AND t.window_started_at >= now() - interval '1 hour'
                THEN now() + LEAST(900, 2 ^ LEAST(20, t.failures + 1 - :free))
                             * interval '1 second' END
        """),
        {"subject": subject, "free": free},
    )


def forgive(connection: Connection, subject: str) -> None:
    """Forget a subject's failures after it logged in."""
    connection.execute(delete(login_throttles).where(login_throttles.c.subject == subject))
