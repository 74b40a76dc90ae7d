"""History for eyes and spreadsheets: charts, metrics, schedules, the fleet over time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, TypeAdapter

from central.csv_text import as_csv
from central.deps import Editor, Parts, Reader, audited, aware
from central.errors import ApiError
from central.store import charts, history, nodes, records, retention
from central.store.audit import Event
from shared.wire_history import (
    KeptFor,
    Kind,
    MetricPoint,
    MetricRow,
    PoolPoint,
    ScheduleRow,
    SystemRow,
)

router = APIRouter(prefix="/v1", tags=["history"])
LONGEST_STEP = 366 * 86_400
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
Form = Annotated[Literal["json", "csv"], Query(alias="format")]
Step = Annotated[int | None, Query(ge=60, le=LONGEST_STEP, description="Seconds.")]
After = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=50_000)]
Name = Annotated[str | None, Query(max_length=255)]


def _between(
    start: Annotated[AwareDatetime, Query(alias="from")],
    end: Annotated[AwareDatetime, Query(alias="to")],
) -> tuple[datetime, datetime]:
    if end <= start:
        raise ApiError(422, "invalid", "`to` must be later than `from`.")
    first, last = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (start, end))
    return first, last


Between = Annotated[tuple[datetime, datetime], Depends(_between)]


@router.get("/pools/{pool:path}/chart", response_model=list[PoolPoint], responses=CSV)
def pool_chart(
    pool: str, deps: Parts, _actor: Reader, between: Between, step: Step = None, form: Form = "json"
) -> Response:
    """A pool in equal steps, oldest first; without `step`, one that suits the range.

    `X-Step-Seconds` tells the step: it is coarser than asked where finer history has gone.
    """
    with deps.engine.connect() as connection:
        found = history.find_pool(connection, pool)
        used, rows = charts.pool_chart(connection, found["id"], charts.Range(*between, step))
    return answer(PoolPoint, rows, form, used)


@router.get("/metrics/chart", response_model=list[MetricPoint], responses=CSV)
def metric_chart(
    deps: Parts,
    _actor: Reader,
    between: Between,
    node: Annotated[str, Query(max_length=255)],
    metric: Annotated[str, Query(max_length=100)],
    pool: Name = None,
    step: Step = None,
    form: Form = "json",
) -> Response:
    """A metric in equal steps, oldest first: of a node itself, or of one of its pools."""
    with deps.engine.connect() as connection:
        series = {
            "node": nodes.id_of(connection, node),
            "pool": 0 if pool is None else history.find_pool(connection, pool)["id"],
            "metric": metric,
        }
        used, rows = charts.metric_chart(connection, series, charts.Range(*between, step))
    return answer(MetricPoint, rows, form, used)


@router.get("/metrics", response_model=list[MetricRow], responses=CSV)
def metric_rows(
    deps: Parts,
    _actor: Reader,
    between: Between,
    node: Annotated[str, Query(max_length=255)],
    metric: Annotated[str | None, Query(max_length=100)] = None,
    pool: Name = None,
    after: After = None,
    limit: Limit = 1000,
    form: Form = "json",
) -> Response:
    """A node's metrics as they came, oldest first.

    To continue, `from` is the last row's `timestamp` and `after` its `id`.
    """
    with deps.engine.connect() as connection:
        nodes.id_of(connection, node)
        pool_id = None if pool is None else history.find_pool(connection, pool)["id"]
        page = records.Page(*between, after, limit)
        rows = records.metric_rows(connection, page, node=node, pool=pool_id, metric=metric)
    return answer(MetricRow, rows, form)


@router.get("/system-analytics", response_model=list[SystemRow], responses=CSV)
def system_rows(
    deps: Parts,
    _actor: Reader,
    between: Between,
    after: After = None,
    limit: Limit = 10_000,
    form: Form = "json",
) -> Response:
    """The fleet every five minutes, oldest first; continue as with metrics."""
    with deps.engine.connect() as connection:
        rows = records.system_rows(connection, records.Page(*between, after, limit))
    return answer(SystemRow, rows, form)


@router.get("/schedules", response_model=list[ScheduleRow], responses=CSV)
def schedule_rows(
    deps: Parts,
    _actor: Reader,
    node: Name = None,
    after: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    form: Form = "json",
) -> Response:
    """Schedules of the active configurations by id, from the one after `after` on."""
    with deps.engine.connect() as connection:
        rows = records.schedule_rows(connection, node=node, after=after, limit=limit)
    return answer(ScheduleRow, rows, form)


@router.get("/retention")
def show_retention(deps: Parts, _actor: Reader) -> list[KeptFor]:
    """For how long each kind of history is kept."""
    with deps.engine.connect() as connection:
        rows = [{"kind": kind, "days": days} for kind, days in retention.kept(connection).items()]
    return TypeAdapter(list[KeptFor]).validate_python(rows)


@router.put("/retention/{kind}")
def change_retention(
    kind: Annotated[Kind, Path()],
    days: Annotated[int, Query(ge=8, le=36_500)],
    deps: Parts,
    actor: Editor,
) -> KeptFor:
    """Keep a kind of history for so many days; what is older goes within the hour."""
    with deps.engine.connect() as connection:
        before = retention.kept(connection)[kind]
    details = {"kind": kind, "before": before, "after": days}
    event = Event("RETENTION_CHANGED", "SYSTEM", "history", None, kind, details=details)
    with audited(deps, actor, event) as connection:
        retention.keep(connection, kind, days)
    return KeptFor(kind=kind, days=days)


def answer(
    kind: type[BaseModel], rows: Sequence[dict[str, Any]], form: str, step: int | None = None
) -> Response:
    """Rows as JSON or CSV, in the model's words; `step` tells a chart's step in seconds."""
    models = [kind.model_validate(aware(row)) for row in rows]
    headers = {} if step is None else {"X-Step-Seconds": str(step)}
    if form == "csv":
        return Response(as_csv(kind, models), media_type="text/csv", headers=headers)
    content = TypeAdapter(list[kind]).dump_json(models)  # type: ignore[valid-type] # made at run time
    return Response(content, media_type="application/json", headers=headers)
