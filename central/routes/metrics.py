"""GET /metrics, for Prometheus: from this machine, or with a token of its own."""

from hmac import compare_digest
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from central.credentials import bearer
from central.deps import Parts
from central.errors import ApiError

router = APIRouter(tags=["health"])
REFUSED = (
    "Metrics are for this machine, or for whoever has the token: set POOLKEEPER_METRICS_TOKEN for "
    "central and give it to Prometheus."
)


@router.get("/metrics", response_class=Response)
def metrics(request: Request, deps: Parts) -> Response:
    """Ingest, the fleet's statuses and how far configurations and roll-ups are behind."""
    if not _may_read(request, deps.metrics_token):
        raise ApiError(403, "forbidden", REFUSED)
    return Response(deps.telemetry.render(), media_type=CONTENT_TYPE_LATEST)


def _may_read(request: Request, token: str | None) -> bool:
    """A forwarded request is from elsewhere, however near the proxy is."""
    if token is not None:
        return compare_digest((bearer(request) or "").encode(), token.encode())
    peer = request.client.host if request.client else ""
    forwarded = any(name in request.headers for name in ("x-forwarded-for", "forwarded"))
    try:
        return ip_address(peer).is_loopback and not forwarded
    except ValueError:
        return False
