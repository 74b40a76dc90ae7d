"""For load balancers and supervisors; no secrets, no login."""

from fastapi import APIRouter

from central.deps import Parts
from central.errors import ApiError

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(deps: Parts) -> dict[str, str]:
    """Heartbeats can be committed; otherwise 503."""
    if not deps.is_ready():
        raise ApiError(
            503, "unavailable", "The database cannot be reached.", retry_after=deps.retry_after()
        )
    return {"status": "ready"}
