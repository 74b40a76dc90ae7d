"""What a request shows to prove who sends it: a bearer token, or a browser's cookie."""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request, Response

from central.errors import ApiError
from central.store.sessions import Kind

COOKIE = "__Host-poolkeeper"
CSRF_HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FOREIGN = "This request did not come from a page of this site: reload the page and try again."


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret and the door that it fits."""

    kind: Kind
    text: str


def bearer(request: Request) -> str | None:
    """The token of an Authorization header."""
    return bearer_of(request.headers.get("authorization", ""))


def bearer_of(authorization: str) -> str | None:
    """The token in the value of an Authorization header."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def shown(request: Request) -> Credential | None:
    """What a request shows; with an Authorization header, cookies count for nothing."""
    if "authorization" in request.headers:
        token = bearer(request)
        return None if token is None else Credential("bearer", token)
    cookie = request.cookies.get(COOKIE)
    return Credential("cookie", cookie) if cookie else None


def csrf_token(session_text: str) -> str:
    """The token that pages of ours know and others cannot; bound to the session."""
    return hmac.new(session_text.encode(), b"csrf", hashlib.sha256).hexdigest()


def check_not_forged(
    request: Request, session_text: str, public_url: str | None, of_form: str | None = None
) -> None:
    """Refuse a browser's unsafe request that another site may have caused.

    `of_form` is the CSRF token in the form of a page, None where no form is taken.

    Raises:
        ApiError: 403 without our Origin and this session's CSRF token, 415 for another type.
    """
    if request.method in SAFE_METHODS:
        return
    check_origin(request, public_url)
    given = request.headers.get(CSRF_HEADER) or of_form or ""
    if not hmac.compare_digest(given.encode(), csrf_token(session_text).encode()):
        raise ApiError(403, "forged", FOREIGN)
    has_body = request.headers.get("content-length", "0") != "0"
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if has_body and of_form is None and kind not in {"application/json", "application/yaml"}:
        raise ApiError(415, "type", "Send application/json.")


def check_origin(request: Request, public_url: str | None) -> None:
    """Refuse a browser's request from a page of another origin.

    Raises:
        ApiError: 403.
    """
    origin = request.headers.get("origin")
    if origin is None:
        ours = request.headers.get("sec-fetch-site") == "same-origin"
    else:
        ours = origin == (public_url or f"{request.url.scheme}://{request.url.netloc}")
    if not ours:
        raise ApiError(403, "forged", FOREIGN)


def set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    """Give a browser a secret that only this host gets back, over TLS, unseen by scripts."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def path_only(target: str | None) -> str:
    """Where to go after a login: a path on this site, or the start page for anything else."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(target)
    clean = all(" " < letter != "\\" for letter in target)
    return target if clean and not parts.scheme and not parts.netloc else "/"
