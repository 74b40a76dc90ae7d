"""Which addresses are pages, and what a browser gets where a program gets JSON."""

from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from central.errors import ApiError
from central.web.rendering import is_htmx, page

MACHINES = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")
SIGN_IN = "/sign-in"


def is_page(request: Request) -> bool:
    """Whether an address is one of the pages, not of the API."""
    return not request.url.path.startswith(MACHINES)


def wants_page(request: Request) -> bool:
    """Whether whoever asks reads HTML: a browser, or a script of a page."""
    return is_page(request) and (
        is_htmx(request) or "text/html" in request.headers.get("accept", "")
    )


def refusal(request: Request, error: ApiError) -> Response:
    """A refusal as people read it; without a session, the way to sign in."""
    if error.status == 401 and request.url.path != SIGN_IN:
        return _to_sign_in(request)
    if is_htmx(request):
        return page(request, "_problem.html", status=error.status, problem=error)
    request_id = getattr(request.state, "request_id", "-")
    answer = page(
        request, "problem.html", status=error.status, problem=error, request_id=request_id
    )
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _to_sign_in(request: Request) -> Response:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if is_htmx(request):  # a redirect would put the sign-in form into a corner of the page
        return Response(status_code=204, headers={"HX-Redirect": SIGN_IN})
    back = "" if request.method != "GET" or target == "/" else f"?next={quote(target, safe='')}"
    return RedirectResponse(SIGN_IN + back, status_code=303)
