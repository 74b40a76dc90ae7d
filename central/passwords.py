"""Passwords: what is accepted, and bcrypt, as slow for accounts that do not exist."""

import bcrypt

from central.errors import ApiError

COST = 12
SHORTEST, LONGEST = 12, 72  # characters; bytes, beyond which bcrypt would not look
# The hash of a password that nobody has, of the cost above.
NOBODYS = "$2b$12$G5/B1UHAYIHRW1qP7GnZZ.1D22ezC.zwEUtD7Q106Ed3XMh9aihRS"
COMMON = frozenset(
    {
        *("123456789012", "1234567890123", "password1234", "passwordpassword", "password12345"),
        *("qwertyuiop12", "qwertyuiop123", "administrator", "administrator1", "letmeinletmein"),
        *("changemechangeme", "poolkeeper123", "poolkeeperadmin", "iloveyou1234", "abcdefghijkl1"),
        *("welcome12345", "adminadminadmin", "abc123abc123", "1q2w3e4r5t6y", "1qaz2wsx3edc"),
    }
)


def check_new_password(password: str) -> None:
    """Refuse a password that is too short or common, or that bcrypt would not take whole.

    Raises:
        ApiError: 422 with the rule that is broken.
    """
    if len(password) < SHORTEST:
        raise ApiError(422, "password", f"A password has at least {SHORTEST} characters.")
    if len(password.encode()) > LONGEST or "\0" in password:
        raise ApiError(422, "password", f"A password has at most {LONGEST} bytes and no NUL.")
    if len(set(password)) < 4:
        raise ApiError(422, "password", "A password repeats itself less.")
    if password.lower() in COMMON:
        raise ApiError(422, "password", "That password is on every list: choose another one.")


def hash_password(password: str, *, cost: int = COST) -> str:
    """The bcrypt hash to store."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def verify_password(password: str, stored: str | None) -> bool:
    """Whether a password is the stored one; without a stored one it takes as long and is false."""
    given = password.encode()
    if len(given) > LONGEST or b"\0" in given:
        given, stored = b"", None
    try:
        matches = bcrypt.checkpw(given, (stored or NOBODYS).encode())
    except ValueError:  # what is stored is no bcrypt hash: nothing matches it
        return False
    return matches and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made when the cost was lower, and should be made anew at login."""
    return int(stored.split("$")[2]) < COST
