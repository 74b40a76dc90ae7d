"""Signing in and out with a browser. Without scripts, as with them."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from central import credentials
from central.credentials import COOKIE
from central.deps import Deps, Operator, Parts, anonymous
from central.errors import ApiError
from central.login import authenticate
from central.opening import Opening, open_session
from central.routes.auth import COOKIE_SECONDS, logout
from central.web.forms import PageForm
from central.web.places import SIGN_IN
from central.web.rendering import page

router = APIRouter(tags=["pages"], include_in_schema=False)
LONGEST = 1000


@router.get(SIGN_IN)
def sign_in_page(
    request: Request,
    deps: Parts,
    target: Annotated[str, Query(alias="next", max_length=2000)] = "/",
    left: Annotated[bool, Query(description="Somebody just signed out.")] = False,
) -> Response:
    """The form, and the way through Keycloak where it is set up."""
    return _form(request, deps, credentials.path_only(target), left=left)


@router.post(SIGN_IN)
async def sign_in(request: Request, deps: Parts, form: PageForm) -> Response:
    """Start a browser's session, or say once more what went wrong."""
    target = credentials.path_only(form.get("next"))
    email, password = form.get("email"), form.raw("password")
    try:
        credentials.check_origin(request, deps.public_url)
        _check_filled_in(email, password)
        nobody = anonymous(request)
        user = await authenticate(deps, nobody, email, password)
        opened = await run_in_threadpool(open_session, deps, nobody, user, Opening("cookie"))
    except ApiError as error:
        return _form(request, deps, target, error, email)
    answer = RedirectResponse(target, status_code=303)
    credentials.set_cookie(answer, COOKIE, opened.text, COOKIE_SECONDS)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, deps: Parts, actor: Operator) -> Response:
    """End the session here; the page after it leads to ending Keycloak's own.

    It cannot lead there at once: browsers hold where a form may end against `form-action`.
    """
    logout(request, deps, actor)
    answer = RedirectResponse(f"{SIGN_IN}?left=true", status_code=303)
    credentials.drop_cookie(answer, COOKIE)
    return answer


def _check_filled_in(email: str, password: str) -> None:
    if not 3 <= len(email) <= 255 or not 1 <= len(password) <= LONGEST:
        raise ApiError(422, "invalid", "Fill in your address and your password.")


def _form(
    request: Request,
    deps: Deps,
    target: str,
    error: ApiError | None = None,
    email: str = "",
    *,
    left: bool = False,
) -> Response:
    status = 200 if error is None else error.status
    keycloak = f"/v1/oidc/login?next={quote(target, safe='')}" if deps.oidc else None
    answer = page(
        request,
        "sign_in.html",
        status=status,
        next=target,
        problem=error,
        email=email[:255],
        keycloak=keycloak,
        left=left,
    )
    if error is not None and error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer
