"""Reading back: pools, their analytics, and what happened to nodes."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, TypeAdapter

from central.csv_text import as_csv
from central.deps import Parts, Reader, aware
from central.errors import ApiError
from central.store import history
from shared.wire_operator import AnalyticsRow, LifecycleRow, PoolView

router = APIRouter(prefix="/v1", tags=["history"])
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


@router.get("/pools")
def list_pools(
    deps: Parts, _actor: Reader, node: Annotated[str | None, Query(max_length=255)] = None
) -> list[PoolView]:
    """Pools by node and name; `retired_at` tells those that left their YAML."""
    with deps.engine.connect() as connection:
        rows = history.list_pools(connection, node=node)
    return [PoolView.model_validate(aware(row)) for row in rows]


@router.get("/pools/{pool:path}/analytics")
def pool_analytics(
    pool: str,
    deps: Parts,
    _actor: Reader,
    start: Annotated[AwareDatetime, Query(alias="from")],
    end: Annotated[AwareDatetime, Query(alias="to")],
    limit: Annotated[int, Query(ge=1, le=50_000)] = 10_000,
) -> list[AnalyticsRow]:
    """A pool's rows in a time range, oldest first; a pool is named by OCID, name or NODE%2FNAME."""
    if end <= start:
        raise ApiError(422, "invalid", "`to` must be later than `from`.")
    with deps.engine.connect() as connection:
        found = history.find_pool(connection, pool)
        rows = history.pool_rows(connection, found["id"], _naive(start), _naive(end), limit)
    return [AnalyticsRow.model_validate(aware(row)) for row in rows]


@router.get("/lifecycle", response_model=list[LifecycleRow], responses=CSV)
def lifecycle(
    deps: Parts,
    _actor: Reader,
    node: Annotated[str | None, Query(max_length=255)] = None,
    event: Annotated[str | None, Query(max_length=50)] = None,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """What happened to nodes, newest first; `before` continues after the last row's id."""
    with deps.engine.connect() as connection:
        rows = history.lifecycle_page(
            connection, node=node, event=event, before=before, limit=limit
        )
    found = [LifecycleRow.model_validate(aware(row)) for row in rows]
    if form == "csv":
        return Response(as_csv(LifecycleRow, found), media_type="text/csv")
    content = TypeAdapter(list[LifecycleRow]).dump_json(found)
    return Response(content, media_type="application/json")


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
