"""One's own account: its sessions and its password."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from central import credentials
from central.credentials import COOKIE
from central.deps import Deps, Operator, Parts
from central.errors import ApiError
from central.routes import auth
from central.store import fleet, users
from central.store.audit import Actor
from central.store.sessions import Live
from central.web.forms import Form, PageForm, checked
from central.web.notices import see
from central.web.places import SIGN_IN
from central.web.rendering import page
from shared.wire_people import OwnPassword

router = APIRouter(prefix="/account", tags=["pages"], include_in_schema=False)


@router.get("")
def account_page(request: Request, deps: Parts, actor: Operator) -> Response:
    """The page."""
    return _account(request, deps, actor)


@router.post("/password")
async def change_password(
    request: Request, deps: Parts, actor: Operator, form: PageForm
) -> Response:
    """Set one's own password; every session ends, so that one signs in again."""
    try:
        _check_typed_twice(form)
        passwords = {name: form.raw(name) for name in ("current", "new")}
        await auth.change_own_password(checked(OwnPassword, passwords), deps, actor)
    except ApiError as error:
        return await run_in_threadpool(_account, request, deps, actor, error)
    answer = RedirectResponse(SIGN_IN, status_code=303)
    credentials.drop_cookie(answer, COOKIE)
    return answer


@router.post("/sessions/{session_id}/end")
def end_session(
    session_id: Annotated[int, Path(ge=1, le=2**31 - 1)], deps: Parts, actor: Operator
) -> Response:
    """End one of one's own sessions."""
    auth.end_own_session(session_id, deps, actor)
    return see("/account", "session-ended")


def _check_typed_twice(form: Form) -> None:
    if form.raw("new") != form.raw("again"):
        raise ApiError(422, "invalid", "The new password was not typed the same way twice.")


def _account(
    request: Request, deps: Deps, actor: Actor, problem: ApiError | None = None
) -> Response:
    live: Live = request.state.session
    with deps.engine.connect() as connection:
        now = fleet.database_now(connection)
        user = users.require(connection, live.email)
    values: dict[str, Any] = {"now": now, "has_password": user.hashed_password is not None}
    values |= {"sessions": auth.own_sessions(request, deps, actor), "problem": problem}
    status = 200 if problem is None else problem.status
    return page(request, "account.html", status=status, **values)
