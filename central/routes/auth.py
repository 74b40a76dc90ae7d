"""Login, logout and who one is."""

from fastapi import APIRouter, Request, Response

from central.deps import Parts, Reader, anonymous, aware, bearer
from central.errors import ApiError
from central.passwords import verify_password
from central.store import audit, users
from central.store.audit import Actor, Event
from central.tokens import digest, new_session_token
from shared.wire_operator import Login, Session, Who

router = APIRouter(prefix="/v1", tags=["operators"])
FREE_PER_ACCOUNT, FREE_PER_ADDRESS = 5, 20


@router.post("/login")
def login(body: Login, request: Request, deps: Parts) -> Session:
    """Exchange a password for a session token. Failures slow down, per account and address."""
    actor = anonymous(request)
    email = body.email.strip().lower()
    account, address = f"account:{email}", f"address:{actor.ip_address}"
    with deps.engine.connect() as connection:
        wait = users.seconds_blocked(connection, [account, address])
        user = users.by_email(connection, email)
    if wait > 0:
        _refuse(deps, actor, email, "blocked after too many failures")
        raise ApiError(
            429,
            "throttled",
            "Too many failed logins: wait a little and try again.",
            retry_after=int(wait) + 1,
        )
    right = verify_password(body.password, user.hashed_password if user else None)
    if user is None or not right or not user.is_active:
        _refuse(deps, actor, email, "wrong address or password", [account, address])
        raise ApiError(401, "unauthorized", "The address or the password is wrong.")
    token = new_session_token()
    known = Actor(
        user.id, user.email, user.role, actor.ip_address, actor.user_agent, actor.request_id
    )
    with deps.engine.begin() as connection:
        expires = users.open_session(
            connection, user, token.digest, actor.ip_address, actor.user_agent
        )
        users.forgive(connection, account)
        audit.append(connection, known, Event("LOGIN", "AUTH", "user", str(user.id), user.email))
    ends = aware({"at": expires})["at"]
    return Session(token=token.text, expires_at=ends, email=user.email, role=user.role)


@router.post("/logout", status_code=204, response_class=Response)
def logout(request: Request, deps: Parts, actor: Reader) -> None:
    """End the session at once, everywhere."""
    token = bearer(request)
    with deps.engine.begin() as connection:
        if token is not None:
            users.end_session(connection, digest(token))
        event = Event("LOGOUT", "AUTH", "user", str(actor.user_id), actor.email)
        audit.append(connection, actor, event)


@router.get("/whoami")
def whoami(deps: Parts, actor: Reader) -> Who:
    """The account behind the token."""
    with deps.engine.connect() as connection:
        user = users.by_email(connection, actor.email or "")
    if user is None:
        raise ApiError(401, "unauthorized", "Log in first: poolkeeper login.")
    return Who(email=user.email, full_name=user.full_name, role=user.role)


def _refuse(
    deps: Parts, actor: Actor, email: str, why: str, subjects: list[str] | None = None
) -> None:
    with deps.engine.begin() as connection:
        for subject in subjects or []:
            free = FREE_PER_ACCOUNT if subject.startswith("account:") else FREE_PER_ADDRESS
            users.count_failure(connection, subject, free)
        event = Event("LOGIN", "AUTH", "user", None, email[:255])
        audit.append(connection, actor, event.failed(why))
