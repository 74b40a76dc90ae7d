"""The middleware around every request, alone: what a client may dawdle over, and what is logged."""

import asyncio
import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from central.http_limits import BodyLimits, RequestLimits

LIMITS = BodyLimits(heartbeat=10, other=20, seconds=0.1)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with the length of the body it was sent."""
    try:
        body = await Request(scope, receive).body()
        answer = PlainTextResponse(str(len(body)))
    except HTTPException as error:
        answer = PlainTextResponse("", status_code=error.status_code)
    await answer(scope, receive, send)


def serve(path: str, *chunks: bytes, declared: bytes | None = None, stalls: bool = False) -> int:
    """The status of a request whose body comes in these chunks, and then perhaps never ends."""
    waiting = list(chunks)
    sent: list[MutableMapping[str, Any]] = []

    async def _receive() -> MutableMapping[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        more = len(waiting) > 1 or stalls
        return {"type": "http.request", "body": waiting.pop(0), "more_body": more}

    async def _send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [] if declared is None else [(b"content-length", declared)]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(RequestLimits(echo, LIMITS, time.monotonic)(scope, _receive, _send))
    return int(sent[0]["status"])


CASES: dict[str, tuple[Callable[[], int], int]] = {
    "exactly the limit": (lambda: serve("/v1/heartbeat", b"x" * 10), 200),
    "one byte more": (lambda: serve("/v1/heartbeat", b"x" * 11), 413),
    "in chunks, one byte more": (lambda: serve("/v1/heartbeat", b"x" * 10, b"x"), 413),
    "another path has its own": (lambda: serve("/v1/nodes", b"x" * 20), 200),
    "declared too large": (lambda: serve("/v1/nodes", b"", declared=b"21"), 413),
    "declared nonsense": (lambda: serve("/v1/nodes", b"", declared=b"-1"), 413),
    "never ends": (lambda: serve("/v1/nodes", b"x", stalls=True), 408),
}


@pytest.mark.parametrize(("request_of", "status"), CASES.values(), ids=CASES.keys())
def test_bodies_are_bounded_in_size_and_time(request_of: Callable[[], int], status: int) -> None:
    assert request_of() == status


def test_a_request_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "central.requests"):
        serve("/v1/nodes", b"secret")
        serve("/v1/heartbeat", b"secret")  # too many of them to tell of each
    (record,) = caplog.records
    logged = vars(record)
    assert (logged["method"], logged["path"], logged["status"]) == ("POST", "/v1/nodes", 200)
    assert "secret" not in str(logged)
