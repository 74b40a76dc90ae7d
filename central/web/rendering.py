"""From a template and values to the answer a browser gets. Everything is escaped by default."""

import gzip
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from central.credentials import Credential, csrf_token
from central.permissions import Permission, allows
from central.store.sessions import Live
from central.web import wording
from central.web.assets import asset_url
from central.web.forms import CSRF_FIELD
from central.web.navigation import nav_items
from central.web.notices import notice_of

FOLDER = Path(__file__).parent / "templates"
FILTERS = ("ago", "duration", "iso", "stamp", "short_hash", "percent", "clipped", "words")
WORTH_PACKING = 1400  # bytes: less than this fits into one packet anyway


@cache
def templates() -> Environment:
    """The templates; a name that is not given is an error, not an empty text."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update({name: getattr(wording, name) for name in FILTERS})
    environment.globals.update(
        {"asset": asset_url, "csrf_field": CSRF_FIELD, "nav_items": nav_items}
    )
    return environment


def page(request: Request, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page, or a fragment of one, for whoever asks.

    Every template knows `me` (the session, None without one), `csrf`, `may_edit`, `is_admin`,
    `path` and `notice` (what a form just did), beside `values`. Fragments are packed where the
    browser takes it; whole pages hold the CSRF token and never are.
    """
    live: Live | None = getattr(request.state, "session", None)
    shown: Credential | None = getattr(request.state, "credential", None)
    given = {
        "me": live,
        "csrf": csrf_token(shown.text) if shown is not None else "",
        "may_edit": live is not None and allows(live.role, Permission.EDIT),
        "is_admin": live is not None and allows(live.role, Permission.ADMIN),
        "path": request.url.path,
        "notice": notice_of(request),
    }
    body = templates().get_template(template).render({**given, **values}).encode("utf-8", "replace")
    return _answer(request, body, status, is_fragment=Path(template).name.startswith("_"))


def secret_page(request: Request, template: str, /, **values: Any) -> HTMLResponse:
    """A page with a secret that is shown once: nothing on the way may keep it."""
    answer = page(request, template, **values)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def is_htmx(request: Request) -> bool:
    """Whether a page's own script asks for a fragment."""
    return request.headers.get("hx-request") == "true"


def _answer(request: Request, body: bytes, status: int, *, is_fragment: bool) -> HTMLResponse:
    headers = {"Vary": "Accept-Encoding, HX-Request"}
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
    if is_fragment and takes_gzip and len(body) > WORTH_PACKING:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=1, mtime=0)
    return HTMLResponse(body, status_code=status, headers=headers)
