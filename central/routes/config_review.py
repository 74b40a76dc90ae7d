"""Configurations before they are saved: checked, reviewed, replayed. Nothing is changed here."""

import json
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from pydantic import AwareDatetime

from central.deps import Parts, Reader
from central.replays import Wanted, replay_config
from central.reviews import check, database_now, review
from shared.config.json_schema import json_schema
from shared.wire_review import CheckedConfig, ConfigReview, ReplayReport

router = APIRouter(prefix="/v1", tags=["configurations"])
YAML = "application/yaml"
SCHEMA = "application/schema+json"
Text = Annotated[bytes, Body(media_type=YAML)]


@router.post("/config/check")
def check_config(deps: Parts, _actor: Reader, body: Text = b"") -> CheckedConfig:
    """Everything that is wrong with a text, each with line, column and path, and its lints."""
    with deps.engine.connect() as connection:
        now = database_now(connection)
    return check(body, now)


@router.get(
    "/config/schema",
    response_class=Response,
    responses={200: {"content": {"application/schema+json": {}}}},
)
def config_schema(_actor: Reader) -> Response:
    """The JSON Schema of the file, for editors."""
    headers = {"Cache-Control": "private, max-age=300"}
    return Response(_schema_text(), media_type=SCHEMA, headers=headers)


@router.post("/nodes/{name}/config/review")
def review_config(name: str, deps: Parts, _actor: Reader, body: Text = b"") -> ConfigReview:
    """What a text would change on a node: a push without its effect.

    The diff, lints, instances that it terminates now, what its schedules do in the next 14 days.
    """
    return review(deps, name, body)


@router.post("/nodes/{name}/config/replay")
def replay_route(
    name: str,
    deps: Parts,
    _actor: Reader,
    body: Annotated[bytes | None, Body(media_type=YAML)] = None,
    pool: Annotated[str | None, Query(max_length=255)] = None,
    start: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> ReplayReport:
    """Replay a text, and the active configuration beside it, over a pool's recorded history.

    Without a body the active configuration alone. The last day unless `from` and `to` say
    otherwise, 14 days at most; `pool` may be left out where there is only one.
    """
    return replay_config(deps, Wanted(name, body or None, pool, start, end))


@cache
def _schema_text() -> str:
    return json.dumps(json_schema(), ensure_ascii=False)
