"""What every signed request passes: latency, injected errors, signature, permission, journal."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from simulator.calls import Call, Handler, error_reply
from simulator.errors import CODES, ApiError, not_allowed, not_found
from simulator.faults import Rule
from simulator.journal import Entry
from simulator.replies import Reply
from simulator.signatures import Principal, Request
from simulator.world import World

_WRITES = frozenset({"UpdateInstancePool", "DetachInstancePoolInstance"})


@dataclass(frozen=True, slots=True)
class Operation:
    """An OCI operation: its name in Oracle's API reference, its route and what serves it.

    `verify` says who signed a request; without it, one of the registered keys has to.
    """

    name: str
    method: str
    path: str
    handler: Handler
    verify: Callable[[World, Request, datetime], Principal] | None = None

    def route(self, world: World) -> Route:
        """Return the route that serves this operation from a world."""
        gate = _Gate(world, self)
        return Route(self.path, gate.serve, methods=[self.method])


@dataclass(frozen=True, slots=True)
class _Gate:
    world: World
    operation: Operation

    async def serve(self, http: HttpRequest) -> Response:
        """Answer one request, or close its connection when its reply is to be lost."""
        request = _signed_request(http, await http.body())
        rule = self.world.draw_rule(self.operation.name)
        if rule and rule.latency_seconds:
            await asyncio.sleep(rule.latency_seconds)
        wall = self.world.wall()
        identifier = self._request_id(http.headers.get("opc-request-id"))
        with self.world.lock:
            now = self.world.now()
            principal, reply = self._answer(http, request, rule, now, wall)
            entry = Entry(
                operation=self.operation.name,
                method=request.method,
                path=http.url.path,
                region=http.path_params.get("region"),
                at=now,
                wall=wall,
                status=reply.status,
                opc_request_id=identifier,
                query=dict(http.query_params),
                user=principal.user if principal else None,
                lost=bool(rule and (rule.lost_reply or rule.lost_request)),
                detail=_detail(request.body),
            )
            self.world.requests.add(entry)
        if rule and rule.reply_latency_seconds:
            await asyncio.sleep(rule.reply_latency_seconds)
        if entry.lost:
            await _hang_up(http)
        headers = {"opc-request-id": identifier, "content-type": "application/json"}
        return Response(reply.encoded(), reply.status, headers=headers | reply.headers)

    def _answer(
        self,
        http: HttpRequest,
        request: Request,
        rule: Rule | None,
        now: datetime,
        wall: datetime,
    ) -> tuple[Principal | None, Reply]:
        principal: Principal | None = None
        try:
            verify = self.operation.verify
            keys = self.world.keys
            principal = verify(self.world, request, wall) if verify else keys.verify(request, wall)
            if rule and rule.lost_request:
                return principal, Reply({}, status=0)
            if rule and rule.status:
                code = rule.code or CODES.get(rule.status, "InternalError")
                error = ApiError(rule.status, code, rule.message)
                return principal, error_reply(error, rule.retry_after_seconds)
            self._check_permission()
            parameters = {str(key): str(value) for key, value in http.path_params.items()}
            call = Call(
                world=self.world,
                principal=principal,
                region=parameters.get("region"),
                path=parameters,
                query=dict(http.query_params),
                headers=dict(request.headers),
                body=request.body,
                now=now,
                wall=wall,
            )
            return principal, self.operation.handler(call)
        except ApiError as error:
            return principal, error_reply(error)

    def _check_permission(self) -> None:
        """OCI hides most denials behind 404; some services answer 403."""
        status = self.world.faults.forbidden.get(self.operation.name)
        if self.world.faults.refuse_writes and self.operation.name in _WRITES:
            raise not_found()
        if status is not None:
            raise not_allowed() if status == 403 else not_found()

    def _request_id(self, sent: str | None) -> str:
        """Return client part, server part: the SDK logs and reports it."""
        made = "/".join(f"{self.world.random.getrandbits(128):032X}" for _ in range(2))
        return f"{sent}/{made}" if sent else f"{self.world.random.getrandbits(128):032X}/{made}"


def _signed_request(http: HttpRequest, body: bytes) -> Request:
    raw = http.scope["raw_path"].decode("ascii")
    query = http.scope["query_string"].decode("ascii")
    target = f"{raw}?{query}" if query else raw
    return Request(http.method, target, dict(http.headers.items()), body)


def _detail(body: bytes) -> str | None:
    """Return the start of a body, for the journal; a long one also gets its digest."""
    if not body:
        return None
    text = body[:4000].decode(errors="replace")
    return text if len(body) <= 4000 else f"{text}… sha256={hashlib.sha256(body).hexdigest()}"


async def _hang_up(http: HttpRequest) -> None:
    """Close the connection; whatever is sent afterwards goes nowhere."""
    transport = getattr(http.state, "transport", None)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
        await asyncio.sleep(0)  # connection_lost is called in the loop's next round
