"""What was done to a pool's size, what failed, and why."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from central.deps import Parts, Reader
from central.routes.charts import CSV, Between, Form, answer
from central.store import events, history
from central.store.records import Page
from shared.wire_operator import AnalyticsRow

router = APIRouter(prefix="/v1/pools", tags=["history"])


@router.get("/{pool:path}/events", response_model=list[AnalyticsRow], responses=CSV)
def scaling_events(
    pool: str,
    deps: Parts,
    _actor: Reader,
    between: Between,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    form: Form = "json",
) -> Response:
    """A pool's scaling events, newest first; a pool is named by OCID, name or NODE%2FNAME.

    To continue, `to` is the last row's `timestamp` and `before` its `id`.
    """
    with deps.engine.connect() as connection:
        found = history.find_pool(connection, pool)
        rows = events.scaling_events(connection, found["id"], Page(*between, before, limit))
    return answer(AnalyticsRow, rows, form)
