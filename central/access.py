"""The door in front of every route: who asks, and whether the table of permissions lets them."""

import logging

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from central import credentials
from central.deps import anonymous, deps_of
from central.errors import ApiError
from central.permissions import Permission, allows, required
from central.store import audit, sessions
from central.store.audit import Actor, Event
from central.tokens import digest
from central.web.forms import CSRF_FIELD, Form, is_form, read_form
from central.web.places import is_page

log = logging.getLogger(__name__)
POLL_HEADER = "x-poll"  # a page that keeps itself fresh is not a person who is there
LOG_IN = "Log in first: poolkeeper login."


async def authorize(request: Request) -> None:
    """A dependency of the whole app. Its outcome is `request.state.actor` and `.session`.

    The session and the role are read from the database on every request, on every replica, so a
    demotion, a deactivation and a revocation act on the very next one.

    Raises:
        ApiError: 401 without a live session, 403 without the permission (audited).
    """
    template = str(getattr(request.scope.get("route"), "path", ""))
    permission = required(request.method, template)
    if permission in (Permission.PUBLIC, Permission.NODE):
        return  # node keys are the heartbeat's own affair, on its hot path
    if permission is None:
        log.error("%s %s is in no table of permissions", request.method, template)
        raise ApiError(403, "forbidden", "Nobody may do this: no permission is set for it.")
    if is_page(request) and is_form(request):
        await read_form(request)  # its CSRF token is checked before anything else
    await run_in_threadpool(_admit, request, permission)


def _admit(request: Request, permission: Permission) -> None:
    deps = deps_of(request)
    shown = credentials.shown(request)
    if shown is None:
        raise ApiError(401, "unauthorized", LOG_IN)
    with deps.engine.begin() as connection:
        live = sessions.find(
            connection, digest(shown.text), shown.kind, touch=POLL_HEADER not in request.headers
        )
    if live is None:
        raise ApiError(401, "unauthorized", LOG_IN)
    nobody = anonymous(request)
    actor = Actor(
        live.user_id, live.email, live.role, nobody.ip_address, nobody.user_agent, nobody.request_id
    )
    try:
        if shown.kind == "cookie":
            form: Form | None = getattr(request.state, "form", None)
            token = None if form is None else form.get(CSRF_FIELD)
            credentials.check_not_forged(request, shown.text, deps.public_url, token)
        _check(actor, permission)
    except ApiError as refusal:
        _audit_denial(request, actor, refusal)
        raise
    request.state.actor = actor
    request.state.session = live
    request.state.credential = shown


def _check(actor: Actor, permission: Permission) -> None:
    if not allows(actor.role or "", permission):
        needed = {"edit": "DEVOPS", "admin": "ADMIN"}.get(permission, "USER")
        why = f"The role {needed} is needed for this; {actor.email} has {actor.role}."
        raise ApiError(403, "forbidden", why)


def _audit_denial(request: Request, actor: Actor, refusal: ApiError) -> None:
    where = f"{request.method} {request.url.path}"[:255]
    event = Event("ACCESS_DENIED", "AUTH", "route", None, where).failed(refusal.error)
    with deps_of(request).engine.begin() as connection:
        audit.append(connection, actor, event)
