"""Logins on their way, at the issuer or waiting for a command line; each can be used once."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, text

from central.tables_people import login_codes, oidc_logins

LOGIN_MINUTES = 10
CODE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that went to the issuer.

    Attributes:
        browser_hash: of the secret in the cookie of the browser that started it.
        next_path: where to go afterwards; a path on this site.
        client_port: of the command line that waits on the loopback interface, if one does.
        client_challenge: SHA-256 of that command line's verifier, base64url.
        client_state: what that command line wants back.
    """

    browser_hash: str
    next_path: str = "/"
    client_port: int | None = None
    client_challenge: str | None = None
    client_state: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A finished login that its command line may pick up."""

    user_id: int
    challenge: str
    provider_session: str | None


def remember(connection: Connection, state_hash: str, pending: Pending) -> None:
    """Note that a login has started; it may take ten minutes."""
    ends = func.now() + text(f"interval '{LOGIN_MINUTES} minutes'")
    values: dict[str, Any] = {name: getattr(pending, name) for name in Pending.__slots__}
    connection.execute(insert(oidc_logins).values(state_hash=state_hash, expires_at=ends, **values))


def take(connection: Connection, state_hash: str) -> Pending | None:
    """The login of a state, which can be asked for once; None when unknown, used or late."""
    columns = (oidc_logins.c[name] for name in Pending.__slots__)
    row = connection.execute(
        delete(oidc_logins)
        .where(oidc_logins.c.state_hash == state_hash)
        .returning(*columns, oidc_logins.c.expires_at > func.now())
    ).one_or_none()
    if row is None:
        return None
    *values, in_time = row
    return Pending(*values) if in_time else None


def put_code(connection: Connection, code_hash: str, waiting: Waiting) -> None:
    """Keep a finished login for its command line, for a minute."""
    connection.execute(
        insert(login_codes).values(
            code_hash=code_hash,
            user_id=waiting.user_id,
            challenge=waiting.challenge,
            provider_session=waiting.provider_session,
            expires_at=func.now() + text(f"interval '{CODE_SECONDS} seconds'"),
        )
    )


def take_code(connection: Connection, code_hash: str) -> Waiting | None:
    """The login behind a code, once; None when unknown, used or late."""
    row = connection.execute(
        delete(login_codes)
        .where(login_codes.c.code_hash == code_hash)
        .returning(
            login_codes.c.user_id,
            login_codes.c.challenge,
            login_codes.c.provider_session,
            login_codes.c.expires_at > func.now(),
        )
    ).one_or_none()
    if row is None:
        return None
    *values, in_time = row
    return Waiting(*values) if in_time else None


def forget_old(connection: Connection) -> None:
    """Delete what nobody came back for."""
    for table in (oidc_logins, login_codes):
        connection.execute(delete(table).where(table.c.expires_at < func.now()))
