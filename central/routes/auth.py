"""Logging in with a password, logging out, and one's own account and sessions."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from central import credentials
from central.credentials import COOKIE
from central.deps import Operator, Parts, anonymous, audited, aware
from central.errors import not_found
from central.login import authenticate, check_own_password
from central.opening import Opened, Opening, open_session
from central.passwords import check_new_password
from central.store import people, sessions, users
from central.store.audit import Event
from shared.wire_operator import Login, Session, Who
from shared.wire_people import BrowserSession, LoginWays, OwnPassword, SessionView

router = APIRouter(prefix="/v1", tags=["operators"])
COOKIE_SECONDS = sessions.LONGEST_HOURS * 3600


@router.get("/login")
async def login_ways(deps: Parts) -> LoginWays:
    """How one can log in here."""
    return LoginWays(password=True, keycloak=deps.oidc is not None)


@router.post("/login")
async def login(body: Login, request: Request, deps: Parts) -> Session:
    """Exchange a password for a bearer token. Failures slow down, per account and address."""
    nobody = anonymous(request)
    user = await authenticate(deps, nobody, body.email, body.password)
    opened = await run_in_threadpool(open_session, deps, nobody, user, Opening("bearer"))
    return bearer_session(opened)


@router.post("/session")
async def open_browser_session(
    body: Login, request: Request, response: Response, deps: Parts
) -> BrowserSession:
    """Exchange a password for a session cookie; the answer holds its CSRF token."""
    credentials.check_origin(request, deps.public_url)
    nobody = anonymous(request)
    user = await authenticate(deps, nobody, body.email, body.password)
    opened = await run_in_threadpool(open_session, deps, nobody, user, Opening("cookie"))
    credentials.set_cookie(response, COOKIE, opened.text, COOKIE_SECONDS)
    return _browser(opened)


@router.get("/session")
async def browser_session(request: Request, _actor: Operator) -> BrowserSession:
    """The session of a page that was just (re)loaded, with its CSRF token."""
    live: sessions.Live = request.state.session
    shown: credentials.Credential = request.state.credential
    return BrowserSession(
        email=live.email,
        full_name=live.full_name,
        role=live.role,
        csrf_token=credentials.csrf_token(shown.text),
        expires_at=aware({"at": live.expires_at})["at"],
    )


@router.post("/logout", status_code=204, response_class=Response)
def logout(request: Request, deps: Parts, actor: Operator) -> Response:
    """End the session at once, everywhere."""
    live: sessions.Live = request.state.session
    event = Event("LOGOUT", "AUTH", "user", str(actor.user_id), actor.email)
    with audited(deps, actor, event) as connection:
        sessions.revoke(connection, live.user_id, only=live.id)
    answer = Response(status_code=204)
    credentials.drop_cookie(answer, COOKIE)
    return answer


@router.get("/whoami")
async def whoami(request: Request, _actor: Operator) -> Who:
    """The account behind the session."""
    live: sessions.Live = request.state.session
    return Who(email=live.email, full_name=live.full_name, role=live.role)


@router.post("/password", status_code=204, response_class=Response)
async def change_own_password(body: OwnPassword, deps: Parts, actor: Operator) -> None:
    """Set one's own password; every session of the account ends, this one too."""
    await check_own_password(deps, actor, body.current)
    check_new_password(body.new)
    hashed = await deps.passwords.hash(body.new)

    def _write() -> None:
        event = Event("PASSWORD_CHANGED", "USER", "user", str(actor.user_id), actor.email)
        with audited(deps, actor, event) as connection:
            people.lock_without_actor(connection)
            user = users.require(connection, actor.email or "", lock=True)
            people.apply(connection, user, {"hashed_password": hashed})

    await run_in_threadpool(_write)


@router.get("/sessions")
def own_sessions(request: Request, deps: Parts, _actor: Operator) -> list[SessionView]:
    """One's own live sessions, newest first."""
    live: sessions.Live = request.state.session
    with deps.engine.connect() as connection:
        rows = sessions.of_user(connection, live.user_id)
    return [
        SessionView.model_validate({**aware(row), "current": row["id"] == live.id}) for row in rows
    ]


@router.delete("/sessions/{session_id}", status_code=204, response_class=Response)
def end_own_session(
    session_id: Annotated[int, Path(ge=1, le=2**31 - 1)], deps: Parts, actor: Operator
) -> None:
    """End one of one's own sessions."""
    event = Event("SESSION_REVOKED", "AUTH", "session", str(session_id), actor.email)
    with audited(deps, actor, event) as connection:
        if not sessions.revoke(connection, actor.user_id or 0, only=session_id):
            raise not_found("session", session_id)


def bearer_session(opened: Opened) -> Session:
    """What a command line gets."""
    return Session(
        token=opened.text,
        expires_at=opened.expires_at,
        email=opened.user.email,
        role=opened.user.role,
    )


def _browser(opened: Opened) -> BrowserSession:
    return BrowserSession(
        email=opened.user.email,
        full_name=opened.user.full_name,
        role=opened.user.role,
        csrf_token=credentials.csrf_token(opened.text),
        expires_at=opened.expires_at,
    )
