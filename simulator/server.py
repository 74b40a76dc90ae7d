"""The simulator as a web application, and as a server inside another process.

One address serves every service: the SDK appends each service's base path to `service_endpoint`
(SDK 2.189 base_client.py). Below `/regions/{region}` only that region is visible, so
`http://127.0.0.1:PORT/regions/eu-frankfurt-1` plays one region of several.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from uvicorn.protocols.http.h11_impl import H11Protocol

from simulator import actions, admin, compute, ingestion, listing, monitoring, requests_api
from simulator.calls import error_reply
from simulator.errors import ApiError
from simulator.gate import Operation
from simulator.metadata import Metadata
from simulator.world import World

_POOLS = "/20160918/instancePools"
_POOL = _POOLS + "/{instancePoolId}"
_WORK = "/20160918/workRequests"
_METRICS = "/20180401/metrics"
_SCALING = "/20181001/autoScalingConfigurations"

OPERATIONS = (
    Operation("ListInstancePools", "GET", _POOLS, compute.list_instance_pools),
    Operation("GetInstancePool", "GET", _POOLS + "/{instancePoolId}", compute.get_instance_pool),
    Operation(
        "UpdateInstancePool", "PUT", _POOLS + "/{instancePoolId}", compute.update_instance_pool
    ),
    Operation(
        "ListInstancePoolInstances",
        "GET",
        _POOLS + "/{instancePoolId}/instances",
        compute.list_instance_pool_instances,
    ),
    Operation(
        "GetInstancePoolInstance",
        "GET",
        _POOL + "/instances/{instanceId}",
        actions.get_instance_pool_instance,
    ),
    Operation(
        "DetachInstancePoolInstance",
        "POST",
        _POOL + "/actions/detachInstance",
        actions.detach_instance_pool_instance,
    ),
    Operation(
        "TerminationProceedInstancePoolInstance",
        "POST",
        _POOL + "/actions/terminationProceed",
        actions.termination_proceed,
    ),
    *(
        Operation(
            f"{action.title()}InstancePool",
            "POST",
            f"{_POOL}/actions/{action}",
            actions.power(action),
        )
        for action in ("start", "stop", "softstop", "reset", "softreset")
    ),
    Operation("ListWorkRequests", "GET", _WORK, requests_api.list_work_requests),
    Operation("GetWorkRequest", "GET", _WORK + "/{workRequestId}", requests_api.get_work_request),
    Operation(
        "ListWorkRequestErrors",
        "GET",
        _WORK + "/{workRequestId}/errors",
        requests_api.list_work_request_errors,
    ),
    Operation(
        "SummarizeMetricsData",
        "POST",
        _METRICS + "/actions/summarizeMetricsData",
        monitoring.summarize_metrics_data,
    ),
    Operation("ListMetrics", "POST", _METRICS + "/actions/listMetrics", listing.list_metrics),
    Operation("PostMetricData", "POST", _METRICS, ingestion.post_metric_data),
    Operation(
        "ListAutoScalingConfigurations",
        "GET",
        _SCALING,
        requests_api.list_auto_scaling_configurations,
    ),
)


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that serves: its address and the world behind it."""

    url: str
    world: World

    def region_url(self, region: str) -> str:
        """Return the address of one region."""
        return f"{self.url}/regions/{region}"


def create_app(world: World) -> Starlette:
    """Return the web application of a world."""
    signed: list[BaseRoute] = [operation.route(world) for operation in OPERATIONS]
    regional = Mount("/regions/{region}", routes=signed)
    return Starlette(
        routes=[*admin.routes(world), *Metadata(world).routes(), regional, *signed],
        exception_handlers={404: _unknown, 405: _unknown},
    )


async def _unknown(request: Request, _: Exception) -> Response:
    """Answer what no operation serves, in OCI's form."""
    error = ApiError(
        404, "NotAuthorizedOrNotFound", f"Unknown: {request.method} {request.url.path}"
    )
    reply = error_reply(error)
    return Response(reply.encoded(), reply.status, {"content-type": "application/json"})


class DroppableProtocol(H11Protocol):
    """HTTP/1.1 whose requests can close their connection (for replies that get lost)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its parent does
        """Let the requests of this connection know their transport."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def configuration(world: World) -> uvicorn.Config:
    """Return how the simulator is served: quietly, and without touching the process's logging."""
    return uvicorn.Config(
        create_app(world),
        http=DroppableProtocol,
        ws="none",
        loop="asyncio",  # uvloop's transports are not asyncio's, and lost replies abort theirs
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
    )


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a listening socket; port 0 takes a free one. OSError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def address(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


@contextmanager
def running(world: World, port: int = 0) -> Iterator[Running]:
    """Serve a world from a thread of this process, on loopback, until the block ends."""
    listener = listen(port)
    server = uvicorn.Server(configuration(world))
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="simulator", daemon=True
    )
    thread.start()
    try:
        yield Running(address(listener), world)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
