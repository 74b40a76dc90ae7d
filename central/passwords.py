"""Passwords: bcrypt, one at a time, last in line, as slow for accounts that do not exist."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import bcrypt

from central.errors import ApiError

COST = 12
SHORTEST, LONGEST = 12, 72  # characters; bytes, beyond which bcrypt would not look
NICENESS = 15  # a thirtieth of an ordinary thread's weight: slow under load, never starved
LONGEST_QUEUE = 16  # logins that may wait for bcrypt; more are asked to come back
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
        matches = bcrypt.checkpw(given, (stored or _dummy()).encode())
    except ValueError:  # what is stored is no bcrypt hash: nothing matches it
        return False
    return matches and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made when the cost was lower, and should be made anew at login."""
    return int(stored.split("$")[2]) < COST


class PasswordWorker:
    """One thread of low priority that does all the bcrypt of a process.

    bcrypt is meant to burn processor time. Here it burns only what ingest leaves over, and a
    flood of logins waits in a short queue without holding any other thread.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "bcrypt", initializer=_step_back)
        self._waiting = 0

    @property
    def is_busy(self) -> bool:
        """Whether as many wait as may."""
        return self._waiting >= LONGEST_QUEUE

    async def verify(self, password: str, stored: str | None) -> bool:
        """As `verify_password`."""
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, verify_password, password, stored)
        finally:
            self._waiting -= 1

    async def hash(self, password: str) -> str:
        """As `hash_password`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, hash_password, password)

    def close(self) -> None:
        """End the thread after what it is doing."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Let every other thread go first; on Linux, priorities belong to threads."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


@cache
def _dummy() -> str:
    return bcrypt.hashpw(b"nobody has this password", bcrypt.gensalt(COST)).decode()
