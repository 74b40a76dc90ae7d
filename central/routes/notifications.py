"""Messages that were sent, or wait to be sent, of what is wrong."""

from typing import Annotated

from fastapi import APIRouter, Query

from central.deps import Parts, Reader, aware
from central.store import system_page
from shared.wire_notifications import NotificationRow

router = APIRouter(prefix="/v1/notifications", tags=["history"])


@router.get("")
def list_notifications(
    deps: Parts,
    _actor: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> list[NotificationRow]:
    """Messages to channels, newest first; `before` continues after the last row's id."""
    with deps.engine.connect() as connection:
        rows = system_page.notifications(connection, limit=limit, before=before)
    return [NotificationRow.model_validate(aware(row)) for row in rows]
