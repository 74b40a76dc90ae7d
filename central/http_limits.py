"""Around every request: an id, a bound on its body and on the time to send it, a log line."""

import asyncio
import logging
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("central.requests")
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much a request may send, in bytes, and within how many seconds."""

    heartbeat: int = 1024 * 1024
    other: int = 2 * 1024 * 1024
    enrolment: int = 4 * 1024  # from strangers, and no more than a few words
    seconds: float = 15.0

    def of(self, path: str) -> int:
        """The bound for a path."""
        if path == "/v1/enroll":
            return self.enrolment
        return self.heartbeat if path == "/v1/heartbeat" else self.other


def request_id_of(given: str) -> str:
    """The id that a client gave its request, if it is one, or a fresh one."""
    if REQUEST_ID.fullmatch(given):
        return given
    return f"{random.getrandbits(64):016x}"  # no secret, so no system call


class RequestLimits:
    """ASGI middleware. A declared or actual excess is answered with 413, a slow body with 408."""

    def __init__(self, app: ASGIApp, limits: BodyLimits, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._limits = limits
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._monotonic()
        request_id = request_id_of(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def _send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, self._bounded(scope, receive), _send)
        finally:
            level = logging.DEBUG if scope["path"] == "/v1/heartbeat" else logging.INFO
            log.log(
                level,
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round(1000 * (self._monotonic() - started), 1),
                },
            )

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        limit = self._limits.of(scope["path"])
        deadline = self._monotonic() + self._limits.seconds
        received = 0
        complete = False

        async def _receive() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()
            declared = Headers(scope=scope).get("content-length", "0")
            if not declared.isdigit() or int(declared) > limit:
                raise HTTPException(413, f"The body is larger than {limit} bytes.")
            try:
                async with asyncio.timeout(max(0.0, deadline - self._monotonic())):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The body came too slowly.") from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if received > limit:
                    raise HTTPException(413, f"The body is larger than {limit} bytes.")
            return message

        return _receive
