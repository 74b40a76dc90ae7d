"""POST /v1/heartbeat: authenticate from a cache, validate, queue, answer after the commit."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from central.credentials import bearer
from central.deps import Deps, client_address, deps_of
from central.errors import ApiError
from central.ingest.model import Outcome
from central.ingest.queue import QueueFullError
from central.ingest.records import read_heartbeat
from shared.wire import Heartbeat, HeartbeatAnswer

router = APIRouter(prefix="/v1", tags=["agents"])
LONGEST_WAIT_SECONDS = 12.0


def body_schema() -> dict[str, Any]:
    """The heartbeat's JSON Schema, its parts in their places: OpenAPI knows no `$defs`."""
    schema = Heartbeat.model_json_schema()
    parts = schema.pop("$defs", {})

    def _resolved(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return _resolved(parts[value["$ref"].rpartition("/")[2]])
            return {name: _resolved(inner) for name, inner in value.items()}
        return [_resolved(inner) for inner in value] if isinstance(value, list) else value

    resolved: dict[str, Any] = _resolved(schema)
    return resolved


@router.post(
    "/heartbeat",
    response_model=HeartbeatAnswer,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body_schema()}},
        }
    },
)
async def post_heartbeat(request: Request) -> Response:
    """Store a heartbeat and its records; the answer is sent after they are committed."""
    deps = deps_of(request)
    node_id = await _authenticate(deps, request)
    body = await request.body()
    submission = read_heartbeat(node_id, body, client_address(request))
    submission.future = asyncio.get_running_loop().create_future()
    try:
        deps.queue.put(submission)
        async with asyncio.timeout(LONGEST_WAIT_SECONDS):
            outcome: Outcome = await submission.future
    except (QueueFullError, TimeoutError):
        raise busy(deps) from None
    if isinstance(outcome, ApiError):
        raise outcome
    return Response(outcome.model_dump_json(), media_type="application/json")


def busy(deps: Deps) -> ApiError:
    """The refusal of a heartbeat that could not be queued or committed in time."""
    sentence = "The store is behind; the records are not acknowledged."
    return ApiError(503, "busy", sentence, retry_after=deps.retry_after())


async def _authenticate(deps: Deps, request: Request) -> int:
    key = bearer(request)
    if key is not None:
        node_id = deps.keys.cached(key)
        if node_id is None:
            node_id = await run_in_threadpool(deps.keys.node_of, key)
        if node_id is not None:
            return node_id
    raise ApiError(401, "unauthorized", "The node key is missing, unknown or revoked.")
