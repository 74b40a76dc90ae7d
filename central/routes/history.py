"""Reading back: pools, their analytics, and what happened to nodes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from central.deps import Parts, Reader
from central.routes.charts import CSV, After, Between, Form, Limit, answer
from central.store import history
from central.store.records import Page
from shared.wire_operator import AnalyticsRow, LifecycleRow, PoolView

router = APIRouter(prefix="/v1", tags=["history"])
RowId = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


@router.get("/pools", response_model=list[PoolView], responses=CSV)
def list_pools(
    deps: Parts,
    _actor: Reader,
    node: Annotated[str | None, Query(max_length=255)] = None,
    after: RowId = None,
    limit: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    form: Form = "json",
) -> Response:
    """Pools by node and name; `retired_at` tells those that left their YAML.

    All of them without `limit`; `after` continues after the pool of that id.
    """
    with deps.engine.connect() as connection:
        rows = history.list_pools(connection, node=node, after=after, limit=limit)
    return answer(PoolView, rows, form)


@router.get("/pools/{pool:path}/analytics", response_model=list[AnalyticsRow], responses=CSV)
def pool_analytics(
    pool: str,
    deps: Parts,
    _actor: Reader,
    between: Between,
    after: After = None,
    limit: Limit = 10_000,
    form: Form = "json",
) -> Response:
    """A pool's rows as they came, oldest first; a pool is named by OCID, name or NODE%2FNAME.

    To continue, `from` is the last row's `timestamp` and `after` its `id`.
    """
    with deps.engine.connect() as connection:
        found = history.find_pool(connection, pool)
        rows = history.pool_rows(connection, found["id"], Page(*between, after, limit))
    return answer(AnalyticsRow, rows, form)


@router.get("/lifecycle", response_model=list[LifecycleRow], responses=CSV)
def lifecycle(
    deps: Parts,
    _actor: Reader,
    node: Annotated[str | None, Query(max_length=255)] = None,
    event: Annotated[str | None, Query(max_length=50)] = None,
    before: RowId = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    form: Form = "json",
) -> Response:
    """What happened to nodes, newest first; `before` continues after the last row's id."""
    with deps.engine.connect() as connection:
        rows = history.lifecycle_page(
            connection, node=node, event=event, before=before, limit=limit
        )
    return answer(LifecycleRow, rows, form)
