"""What is wrong now, as notifications tell it."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from central.deps import Parts, Reader
from central.routes.charts import CSV, Form, answer
from central.store import conditions
from shared.wire_history import ConditionRow

router = APIRouter(prefix="/v1/conditions", tags=["history"])


@router.get("", response_model=list[ConditionRow], responses=CSV)
def list_conditions(
    deps: Parts,
    _actor: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    form: Form = "json",
) -> Response:
    """What is wrong with nodes, pools and the fleet, the youngest first.

    `before` continues after the last row's id. `told_at` is null while it is not told: nobody is
    to be told, or it may pass by itself.
    """
    with deps.engine.connect() as connection:
        rows = conditions.page(connection, before=before, limit=limit)
    return answer(ConditionRow, rows, form)
