"""The HTTP application: routes, limits, and how refusals look."""

import logging
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from psycopg2 import errors as pg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from central.access import authorize
from central.api_document import DocumentedApi
from central.deps import Deps, deps_of
from central.errors import ApiError
from central.http_limits import BodyLimits, RequestLimits
from central.routes import (
    audit,
    auth,
    charts,
    conditions,
    config_adoption,
    config_edits,
    config_review,
    configs,
    enrolment,
    health,
    heartbeat,
    history,
    metrics,
    node_care,
    nodes,
    notifications,
    oidc,
    pool_events,
    rollouts,
    users,
)
from central.web import (
    account,
    assets,
    config_editor,
    config_history,
    fleet,
    lifecycle,
    node,
    pool,
    quick_actions,
    sign_in,
    system,
)
from central.web import audit as audit_pages
from central.web import enrolment as enrolment_pages
from central.web import nodes as nodes_page
from central.web import rollouts as rollout_pages
from central.web import users as user_pages
from central.web.places import refusal, wants_page
from central.web_headers import WebHeaders
from shared.wire import Problem

log = logging.getLogger(__name__)
UNAVAILABLE = "The database cannot answer at the moment: try again shortly."
UNSTORABLE = "The request holds text that PostgreSQL cannot store, such as a NUL."
CODES = {404: "not_found", 405: "method", 408: "too_slow", 413: "too_large"}

ROUTED = (
    heartbeat,
    auth,
    oidc,
    users,
    audit,
    nodes,
    node_care,
    configs,
    config_adoption,
    config_edits,
    config_review,
    rollouts,
    enrolment,
    history,
    charts,
    pool_events,
    conditions,
    notifications,
    health,
    metrics,
    assets,
    sign_in,
    fleet,
    nodes_page,
    enrolment_pages,
    node,
    config_editor,
    config_history,
    pool,
    quick_actions,
    system,
    rollout_pages,
    lifecycle,
    audit_pages,
    user_pages,
    account,
)


def create_app(
    deps: Deps, monotonic: Callable[[], float], limits: BodyLimits | None = None
) -> FastAPI:
    """Assemble the application; nothing starts until a server runs it."""
    app = DocumentedApi(
        title="Poolkeeper central",
        version=installed_version(),
        docs_url=None,  # the interactive pages load scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(authorize)],  # in front of every route, whatever it declares
    )
    app.state.deps = deps
    for module in ROUTED:
        app.include_router(module.router)
    app.add_middleware(RequestLimits, limits=limits or BodyLimits(), monotonic=monotonic)
    behind_tls = (deps.public_url or "").startswith("https://")
    app.add_middleware(WebHeaders, behind_tls=behind_tls)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeoutError, _database)
    app.add_exception_handler(ValueError, _value)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
    return app


def installed_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("poolkeeper")
    except PackageNotFoundError:
        return "0"


def problem(error: ApiError) -> JSONResponse:
    """A refusal as every client reads it."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = Problem(error=error.error, code=error.code, details=error.details)
    return JSONResponse(body.model_dump(), status_code=error.status, headers=headers)


def told(request: Request, error: ApiError) -> Response:
    """A refusal in the form that its reader understands."""
    return refusal(request, error) if wants_page(request) else problem(error)


async def _refused(request: Request, error: Exception) -> Response:
    return told(request, error if isinstance(error, ApiError) else ApiError(500, "internal", "?"))


async def _invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    details = [
        {"path": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
        for item in found  # never the input, which may be a password
    ]
    first = f"{details[0]['path']}: {details[0]['message']}" if details else "it cannot be read"
    return told(request, ApiError(422, "invalid", f"The request is not valid: {first}.", details))


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = str(error.detail) if isinstance(error, HTTPException) else "?"
    return told(request, ApiError(status, CODES.get(status, "invalid"), sentence))


async def _database(request: Request, error: Exception) -> Response:
    """The database is away (503), or refuses what the caller wrote, such as a NUL (422)."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, pg.DataError):
        return told(request, ApiError(422, "invalid", UNSTORABLE))
    if isinstance(error, OperationalError | PoolTimeoutError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        log.warning("database: %s", type(error).__name__)
        retry_after = deps_of(request).retry_after()
        unavailable = ApiError(503, "unavailable", UNAVAILABLE, retry_after=retry_after)
        return told(request, unavailable)
    return await _unexpected(request, error)


async def _value(request: Request, error: Exception) -> Response:
    """psycopg2 refuses a NUL before it reaches the database, with a bare ValueError."""
    if "NUL (0x00)" in str(error):
        return told(request, ApiError(422, "invalid", UNSTORABLE))
    return await _unexpected(request, error)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Whoever asked left in the middle of it: nobody reads the answer, and nothing is wrong."""
    return Response(status_code=400)


async def _unexpected(request: Request, error: Exception) -> Response:
    request_id = getattr(request.state, "request_id", "-")
    log.error("request %s failed", request_id, exc_info=error)
    failed = ApiError(500, "internal", f"Central failed; its log tells why under {request_id}.")
    return told(request, failed)
