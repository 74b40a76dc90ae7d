"""The ordinary heartbeat's short way through HTTP: no ASGI, no task, no framework.

A heartbeat that arrives whole, in one read, with a key that the cache knows, goes from the parser
to the queue and from its commit to the socket. Whatever is unusual (another path, a body in pieces,
an unknown key, a second request before the first is answered) goes on through ASGI, where
`central.routes.heartbeat` does the same and `central.http_limits` bounds it.
"""

import asyncio
import logging
from dataclasses import dataclass

from central.app import problem
from central.credentials import bearer_of
from central.deps import Deps, address_of
from central.errors import ApiError
from central.http_limits import request_id_of
from central.http_protocol import BoundedProtocol
from central.ingest.model import Outcome
from central.ingest.queue import QueueFullError
from central.ingest.records import read_heartbeat
from central.routes.heartbeat import LONGEST_WAIT_SECONDS, busy

log = logging.getLogger("central.requests")
PATH = b"/v1/heartbeat"
LARGEST_BODY = 256 * 1024  # what one read can bring; larger ones come in pieces anyway
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
    b"x-content-type-options: nosniff\r\nx-request-id: %b\r\ncontent-length: %d\r\n"
)
REFUSAL = (
    b"HTTP/1.1 %d \r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n"
    b"x-request-id: %b\r\n"
)
CLOSE = b"connection: close\r\n"


@dataclass(slots=True)
class _Waiting:
    """The heartbeat of this connection that is not answered yet."""

    request_id: str
    future: "asyncio.Future[Outcome]"
    timer: asyncio.TimerHandle
    keep_alive: bool


class FastLane(BoundedProtocol):
    """One connection; see the module."""

    _body: bytearray | None = None  # of a request that may take the lane
    _complete = False
    _keep_alive = False
    _waiting: _Waiting | None = None
    _held = b""

    @property
    def _deps(self) -> Deps:
        deps: Deps = self.config.app.state.deps  # type: ignore[union-attr] # always our FastAPI
        return deps

    def data_received(self, data: bytes) -> None:
        """Parse; what has come whole by the end of the read may take the lane."""
        if self._waiting is not None:  # pipelined: it waits for its turn
            self._held += data
            self.flow.pause_reading()
            return
        super().data_received(data)
        if self._body is not None and not (self._complete and self._enter()):
            self._leave()

    def on_message_begin(self) -> None:
        """A second request in the same read sends the first one through ASGI, in order."""
        if self._body is not None:
            self._leave()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hold an ordinary heartbeat back; hand on everything else."""
        self.head_is_complete()
        ordinary = (
            self.url == PATH
            and self.parser.get_method() == b"POST"
            and not self.expect_100_continue
            and getattr(self.cycle, "response_complete", True)  # there is none at first
        )
        if ordinary:
            self._body, self._complete = bytearray(), False
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        if self._body is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._body is None:
            super().on_message_complete()
        else:
            self._complete = True
            version_1_1 = self.parser.get_http_version() == "1.1"
            self._keep_alive = version_1_1 and self.parser.should_keep_alive()

    def _leave(self) -> None:
        """Give what was held back to ASGI."""
        body, complete = bytes(self._body or b""), self._complete
        self._body = None
        super().on_headers_complete()
        if body:
            super().on_body(body)
        if complete:
            super().on_message_complete()

    def _enter(self) -> bool:
        """Queue the heartbeat, or refuse it; False when it must go through ASGI."""
        body = bytes(self._body or b"")
        headers = dict(self.headers)
        deps = self._deps
        key = bearer_of(headers.get(b"authorization", b"").decode("latin-1"))
        node_id = None if key is None else deps.keys.cached(key)
        peer = self.client[0] if self.client else None
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
        strange = forwarded != "" and peer not in deps.trusted_proxies
        if node_id is None or strange or len(body) > LARGEST_BODY:
            return False
        self._body = None
        request_id = request_id_of(headers.get(b"x-request-id", b"").decode("latin-1"))
        address = address_of(peer, forwarded, deps.trusted_proxies)
        try:
            submission = read_heartbeat(node_id, body, address)
            submission.future = future = self.loop.create_future()
            deps.queue.put(submission)
        except QueueFullError:
            self._write(busy(deps), request_id, keep_alive=self._keep_alive)
        except ApiError as error:
            self._write(error, request_id, keep_alive=self._keep_alive)
        else:
            timer = self.loop.call_later(LONGEST_WAIT_SECONDS, self._give_up)
            self._waiting = _Waiting(request_id, future, timer, self._keep_alive)
            future.add_done_callback(self._committed)
        return True

    def _committed(self, future: "asyncio.Future[Outcome]") -> None:
        waiting = self._waiting
        if waiting is None or waiting.future is not future:
            return  # given up, or the connection has gone
        waiting.timer.cancel()
        self._finish(future.result())

    def _give_up(self) -> None:
        """The commit takes too long; should it come yet, the repeat is known by its sequence."""
        self._finish(busy(self._deps))

    def _finish(self, outcome: Outcome) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or self.transport.is_closing():
            return
        self._write(outcome, waiting.request_id, keep_alive=waiting.keep_alive)
        if self._held and waiting.keep_alive:
            held, self._held = self._held, b""
            self.flow.resume_reading()
            self.data_received(held)

    def _write(self, outcome: Outcome, request_id: str, *, keep_alive: bool) -> None:
        closing = b"\r\n" if keep_alive else CLOSE + b"\r\n"
        if isinstance(outcome, ApiError):
            response = problem(outcome)
            status, body = outcome.status, bytes(response.body)
            fields = b"".join(b"%b: %b\r\n" % field for field in response.raw_headers)
            head = REFUSAL % (status, request_id.encode()) + fields
        else:
            status, body = 200, outcome.model_dump_json().encode()
            head = ANSWER % (request_id.encode(), len(body))
        self.transport.write(head + closing + body)
        self.server_state.total_requests += 1
        log.debug("request", extra={"request_id": request_id, "status": status})
        if keep_alive:
            self.expect_another()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to be answered; what is queued is committed all the same."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End after the answer that is owed, or at once."""
        if self._waiting is not None:
            self._waiting.keep_alive = False
        else:
            super().shutdown()
