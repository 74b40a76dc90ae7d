"""The instance metadata service (IMDS v2) of the one instance that this machine plays.

Point `OCI_METADATA_BASE_URL` at `URL/opc/v2` and the federation endpoint at `URL/v1/x509`.
Paths: SDK 2.189 auth/signers/instance_principals_security_token_signer.py.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import cached_property

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from simulator import identity
from simulator.calls import Call
from simulator.gate import Operation
from simulator.keys import TENANCY
from simulator.replies import Reply
from simulator.signatures import Principal, Request
from simulator.world import World

_REGION = "eu-frankfurt-1"


class Metadata:
    """Creates the instance when somebody first asks for it, and serves what it knows."""

    def __init__(self, world: World) -> None:
        self._world = world

    @cached_property
    def instance(self) -> identity.Instance:
        """The instance; it belongs to the first tenancy that has a key."""
        tenancy = min(self._world.keys.tenancies, default=TENANCY)
        regions = [pool.region for pool in self._world.pools.values()]
        region = regions[0] if regions else _REGION
        return identity.create_instance(tenancy, region, self._world.wall())

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the metadata service and of the token exchange."""
        answers: dict[str, Callable[[], Response]] = {
            "/instance": lambda: JSONResponse(self._description()),
            "/instance/region": lambda: PlainTextResponse(self.instance.region),
            "/identity/cert.pem": lambda: PlainTextResponse(self.instance.certificate_pem),
            "/identity/key.pem": lambda: PlainTextResponse(self.instance.key_pem),
            "/identity/intermediate.pem": lambda: PlainTextResponse(self.instance.certificate_pem),
        }
        exchange = Operation(
            "GetInstancePrincipalToken", "POST", "/v1/x509", self._issue, self._verify
        )
        served = [Route(f"/opc/v2{path}", _guarded(answer)) for path, answer in answers.items()]
        return [*served, exchange.route(self._world)]

    def _verify(self, _world: World, request: Request, wall: datetime) -> Principal:
        return identity.verify_certificate(self.instance, request, wall)

    def _issue(self, call: Call) -> Reply:
        return identity.issue_token(self.instance, call)

    def _description(self) -> dict[str, str]:
        principal = self.instance.principal
        found = {
            "id": principal.user,
            "tenantId": principal.tenancy,
            "compartmentId": principal.tenancy,
            "region": self.instance.region,
            "canonicalRegionName": self.instance.region,
        }
        if self._world.home is not None:
            pool, member = self._world.home
            found |= {"id": member.id, "instancePoolId": pool.id, "region": pool.region}
            found["compartmentId"] = pool.compartment_id
        return found


def _guarded(answer: Callable[[], Response]) -> Callable[[HttpRequest], Awaitable[Response]]:
    """Answer only with the header that IMDS v2 asks for."""

    async def serve(request: HttpRequest) -> Response:
        if request.headers.get("authorization") != "Bearer Oracle":
            return PlainTextResponse("Authorization: Bearer Oracle is required", 401)
        return answer()

    return serve
