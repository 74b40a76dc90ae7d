"""Logging in through Keycloak: out with a browser, back with a code, in with a session."""

import base64
import hashlib
import hmac
import logging
from typing import Annotated
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from central import credentials
from central.credentials import COOKIE
from central.deps import Deps, Parts, anonymous
from central.errors import ApiError
from central.oidc.accounts import account_of, end_sessions_of
from central.oidc.flow import Answer, Oidc
from central.oidc.model import Identity, OidcRefusedError
from central.opening import Opening, open_session
from central.routes.auth import COOKIE_SECONDS, bearer_session
from central.store import audit, logins, sessions, users
from central.store.audit import Actor, Event
from central.store.users import User
from central.tokens import digest, new_session_token
from central.web.rendering import page
from shared.wire_operator import Session
from shared.wire_people import LoginCode

router = APIRouter(prefix="/v1/oidc", tags=["operators"])
log = logging.getLogger(__name__)
LOGIN_COOKIE = "__Host-poolkeeper-login"
CHALLENGE = r"^[A-Za-z0-9_-]{43}$"
Short = Annotated[str | None, Query(max_length=4000)]


@router.get("/login")
def start_login(
    request: Request,
    deps: Parts,
    next_path: Annotated[str | None, Query(alias="next", max_length=2000)] = None,
    client_port: Annotated[int | None, Query(ge=1024, le=65535)] = None,
    client_challenge: Annotated[str | None, Query(pattern=CHALLENGE)] = None,
    client_state: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{16,128}$")] = None,
) -> Response:
    """Send a browser to Keycloak; `client_*` name a command line that waits on this machine."""
    if client_port is not None and (client_challenge is None or client_state is None):
        raise ApiError(422, "invalid", "client_port needs client_challenge and client_state.")
    oidc = _oidc(deps)
    state, secret = new_session_token(), new_session_token()
    pending = logins.Pending(
        secret.digest,
        credentials.path_only(next_path),
        client_port,
        client_challenge if client_port else None,
        client_state if client_port else None,
    )
    try:
        url = oidc.begin(state.text, secret.text)
    except OidcRefusedError as error:
        return _refuse(deps, request, error)
    with deps.engine.begin() as connection:
        logins.remember(connection, state.digest, pending)
    answer = RedirectResponse(url, status_code=302)
    credentials.set_cookie(answer, LOGIN_COOKIE, secret.text, logins.LOGIN_MINUTES * 60)
    return answer


@router.get("/callback")
def finish_login(
    request: Request,
    deps: Parts,
    state: Short = None,
    code: Short = None,
    iss: Short = None,
    error: Short = None,
) -> Response:
    """Where Keycloak sends the browser back to."""
    oidc = _oidc(deps)
    secret = request.cookies.get(LOGIN_COOKIE, "")
    with deps.engine.begin() as connection:
        pending = logins.take(connection, digest(state or ""))
    if pending is None:
        return _refuse(deps, request, OidcRefusedError("the state is unknown, used or too old"))
    if not hmac.compare_digest(pending.browser_hash, digest(secret)):
        return _refuse(deps, request, OidcRefusedError("another browser started this login"))
    try:
        identity = oidc.finish(Answer(code, iss, error), secret)
    except OidcRefusedError as refusal:
        return _refuse(deps, request, refusal, pending)
    try:
        with deps.engine.begin() as connection:
            user = account_of(connection, identity, anonymous(request))
    except OidcRefusedError as refusal:
        with deps.engine.begin() as connection:
            end_sessions_of(connection, identity)
        return _refuse(deps, request, refusal, pending, identity)
    return _welcome(deps, request, pending, user, identity.session)


@router.post("/token")
async def pick_up_login(body: LoginCode, request: Request, deps: Parts) -> Session:
    """Exchange the code of a finished login for a bearer token; only its starter can."""
    _oidc(deps)

    def _exchange() -> Session:
        with deps.engine.begin() as connection:
            waiting = logins.take_code(connection, digest(body.code))
            user = users.by_id(connection, waiting.user_id) if waiting else None
        hashed = hashlib.sha256(body.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
        if (
            waiting is None
            or user is None
            or not user.is_active
            or not hmac.compare_digest(waiting.challenge, challenge)
        ):
            _audit(deps, anonymous(request), "the login code is unknown, used, late or stolen")
            raise ApiError(401, "unauthorized", "This login has ended: start it again.")
        opening = Opening("bearer", "keycloak", waiting.provider_session)
        return bearer_session(open_session(deps, anonymous(request), user, opening))

    return await run_in_threadpool(_exchange)


@router.get("/logout")
def leave_keycloak(request: Request, deps: Parts) -> Response:
    """Send a browser, whose session here has ended, to end the one at Keycloak too."""
    try:
        url = _oidc(deps).logout_url()
    except OidcRefusedError as error:
        title = "Logged out of Poolkeeper"
        return page(request, "notice.html", title=title, sentence=error.shown, more=None)
    return RedirectResponse(url or "/", status_code=302)


@router.post("/backchannel-logout", status_code=200, response_class=Response)
async def backchannel_logout(request: Request, deps: Parts) -> None:
    """Keycloak tells that somebody logged out there: their sessions here end at once."""
    oidc = _oidc(deps)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    text = form.get("logout_token", [""])[0]

    def _end() -> None:
        nobody = anonymous(request)
        try:
            claims = oidc.tokens.logout_token(text)
        except OidcRefusedError as error:
            _audit(deps, nobody, str(error), "KEYCLOAK_LOGOUT")
            raise ApiError(400, "invalid_request", "The logout token is refused.") from error
        sid, subject = claims.get("sid"), claims.get("sub")
        event = Event("KEYCLOAK_LOGOUT", "AUTH", "session", None, str(sid or subject)[:255])
        with deps.engine.begin() as connection:
            sessions.revoke_of_provider(connection, sid, subject)
            audit.append(connection, nobody, event)

    await run_in_threadpool(_end)


def _oidc(deps: Deps) -> Oidc:
    if deps.oidc is None:
        raise ApiError(404, "not_found", "Keycloak is not set up here: log in with a password.")
    return deps.oidc


def _welcome(
    deps: Deps, request: Request, pending: logins.Pending, user: User, session: str | None
) -> Response:
    if pending.client_port is None:
        opening = Opening("cookie", "keycloak", session)
        opened = open_session(deps, anonymous(request), user, opening)
        answer: Response = RedirectResponse(pending.next_path, status_code=303)
        credentials.set_cookie(answer, COOKIE, opened.text, COOKIE_SECONDS)
    else:
        code = new_session_token()
        waiting = logins.Waiting(user.id, pending.client_challenge or "", session)
        with deps.engine.begin() as connection:
            logins.put_code(connection, code.digest, waiting)
        answer = _to_client(pending, code=code.text)
    credentials.drop_cookie(answer, LOGIN_COOKIE)
    return answer


def _refuse(
    deps: Deps,
    request: Request,
    refusal: OidcRefusedError,
    pending: logins.Pending | None = None,
    identity: Identity | None = None,
) -> Response:
    nobody = anonymous(request)
    log.warning("login through Keycloak refused: %s", refusal)
    _audit(deps, nobody, str(refusal), "LOGIN", identity)
    if pending is not None and pending.client_port is not None:
        answer: Response = _to_client(pending, error=refusal.shown)
    else:
        answer = _login_failed(request, refusal.shown, nobody.request_id)
    credentials.drop_cookie(answer, LOGIN_COOKIE)
    return answer


def _login_failed(request: Request, shown: str, request_id: str | None) -> Response:
    """What a browser sees after a login that was refused; the audit tells the reason."""
    title = "The login did not succeed"
    more = f"An administrator finds the reason in the audit log under {request_id or '-'}."
    return page(request, "notice.html", status=403, title=title, sentence=shown, more=more)


def _to_client(pending: logins.Pending, **values: str) -> Response:
    query = urlencode({**values, "state": pending.client_state or ""})
    return RedirectResponse(f"http://127.0.0.1:{pending.client_port}/?{query}", status_code=303)


def _audit(
    deps: Deps, nobody: Actor, why: str, action: str = "LOGIN", identity: Identity | None = None
) -> None:
    details = None
    name = None
    if identity is not None:
        details = {"issuer": identity.issuer, "subject": identity.subject}
        name = identity.email
    event = Event(action, "AUTH", "user", None, name and name[:255], details=details)
    with deps.engine.begin() as connection:
        audit.append(connection, nobody, event.failed(why[:2000]))
