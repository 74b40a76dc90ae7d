"""Proving who one is with a password: throttled, audited, and alike for every way to fail."""

from starlette.concurrency import run_in_threadpool

from central.deps import Deps
from central.errors import ApiError
from central.passwords import is_outdated
from central.store import audit, throttles, users
from central.store.audit import Actor, Event
from central.store.users import User

THROTTLED = "Too many failed logins: wait a little and try again."
WRONG = "The address or the password is wrong."


async def authenticate(deps: Deps, nobody: Actor, email: str, password: str) -> User:
    """The active local account that an address and a password belong to.

    The attempt is counted before the password is looked at, and forgiven if it is right. An
    unknown account, a wrong password, a deactivated account and one of Keycloak's answer the same
    and take as long.

    Raises:
        ApiError: 401; 429 while the account or the address is blocked; 503 when too many wait.
    """
    address = email.strip().lower()
    names = throttles.subjects(address, nobody.ip_address)
    deps.gate.enter(address, nobody.ip_address, busy=deps.passwords.is_busy)
    user = await run_in_threadpool(_begin, deps, nobody, address, names)
    right = await deps.passwords.verify(password, user.hashed_password if user else None)
    if user is None or not right or not user.is_active:
        await run_in_threadpool(_refuse, deps, nobody, address, WRONG, names)
        raise ApiError(401, "unauthorized", WRONG)
    await run_in_threadpool(_finish, deps, user, names)
    deps.gate.succeeded(address, nobody.ip_address)
    if is_outdated(user.hashed_password or ""):
        renewed = await deps.passwords.hash(password)
        await run_in_threadpool(_renew_hash, deps, user, renewed)
    return user


async def check_own_password(deps: Deps, actor: Actor, password: str) -> User:
    """As `authenticate`, for somebody who is logged in and proves it once more."""
    return await authenticate(deps, actor, actor.email or "", password)


def _begin(deps: Deps, nobody: Actor, email: str, names: list[str]) -> User | None:
    with deps.engine.begin() as connection:
        wait = throttles.seconds_blocked(connection, names)
        user = users.by_email(connection, email)
        if wait <= 0:
            throttles.count_attempt(connection, names)
    if wait > 0:
        _refuse(deps, nobody, email, "blocked after too many failures")
        raise ApiError(429, "throttled", THROTTLED, retry_after=int(wait) + 1)
    return user


def _finish(deps: Deps, user: User, names: list[str]) -> None:
    with deps.engine.begin() as connection:
        throttles.forgive(connection, names)
        now = users.by_id(connection, user.id)
    if now is None or not now.is_active or now.hashed_password != user.hashed_password:
        raise ApiError(401, "unauthorized", WRONG)  # changed while bcrypt was at work


def _renew_hash(deps: Deps, user: User, renewed: str) -> None:
    with deps.engine.begin() as connection:
        users.renew_hash(connection, user, renewed)


def _refuse(
    deps: Deps, nobody: Actor, email: str, why: str, names: list[str] | None = None
) -> None:
    with deps.engine.begin() as connection:
        throttles.block(connection, names or [])
        event = Event("LOGIN", "AUTH", "user", None, email[:255])
        audit.append(connection, nobody, event.failed(why))
