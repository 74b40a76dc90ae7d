"""Passwords: bcrypt, a few at a time, and equally slow for accounts that do not exist."""

import threading
from functools import cache

import bcrypt

from central.errors import ApiError

COST = 12
SHORTEST, LONGEST = 12, 72  # characters; bytes, beyond which bcrypt would not look
_slots = threading.BoundedSemaphore(2)  # logins must not starve ingest of processor time


def check_new_password(password: str) -> None:
    """Refuse a password that is too short, or that bcrypt would not take whole.

    Raises:
        ApiError: 422 with the rule that is broken.
    """
    if len(password) < SHORTEST:
        raise ApiError(422, "password", f"A password has at least {SHORTEST} characters.")
    if len(password.encode()) > LONGEST or "\0" in password:
        raise ApiError(422, "password", f"A password has at most {LONGEST} bytes and no NUL.")
    if len(set(password)) < 4:
        raise ApiError(422, "password", "A password repeats itself less.")


def hash_password(password: str, *, cost: int = COST) -> str:
    """The bcrypt hash to store."""
    with _slots:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def verify_password(password: str, stored: str | None) -> bool:
    """Whether a password is the stored one; without a stored one it takes as long and is false."""
    given = password.encode()
    if len(given) > LONGEST or b"\0" in given:
        given, stored = b"", None
    with _slots:
        matches = bcrypt.checkpw(given, (stored or _dummy()).encode())
    return matches and stored is not None


@cache
def _dummy() -> str:
    return bcrypt.hashpw(b"nobody has this password", bcrypt.gensalt(COST)).decode()
