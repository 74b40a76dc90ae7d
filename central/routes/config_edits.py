"""Small edits of one node's configuration, shown before they are made."""

from typing import Annotated

from fastapi import APIRouter, Header
from sqlalchemy import Connection, func, select

from central.deps import Deps, Editor, Parts, audited
from central.errors import ApiError
from central.patching import Result, result, terminated_by
from central.store import configs
from central.store.audit import Actor, Event
from central.yaml_edit import unified
from central.yaml_text import EditError
from shared.config.problems import ConfigError
from shared.wire_edits import EditedConfig, EditRequest

router = APIRouter(prefix="/v1/nodes/{name}/config", tags=["configurations"])


@router.post("/edits")
def edit_config(
    name: str,
    deps: Parts,
    actor: Editor,
    body: EditRequest,
    if_match: Annotated[str | None, Header(max_length=80)] = None,
) -> EditedConfig:
    """Edit the active configuration and activate what comes out, or only show it (`dry_run`).

    Comments and order are kept. `If-Match` names the hash that was shown.
    """
    expected = None if if_match in (None, "*") else str(if_match).strip('"')
    shown = show_edits(deps, name, body)
    if body.dry_run or not shown.changed:
        return shown
    return make_edits(deps, actor, name, body, expected or shown.base_hash)


def show_edits(deps: Deps, name: str, body: EditRequest) -> EditedConfig:
    """What edits would make of a node's configuration.

    Raises:
        ApiError: 404 unknown node or no configuration; 422 an edit does not fit, or its result
            is no usable configuration.
    """
    with deps.engine.connect() as connection:
        return _preview(connection, name, body)[0]


def make_edits(
    deps: Deps, actor: Actor, name: str, body: EditRequest, expected: str
) -> EditedConfig:
    """Edit the active configuration, whose hash must be the expected one, and activate it.

    Raises:
        ApiError: as for a push.
    """
    details = {"edits": [edit.model_dump(mode="json") for edit in body.edits]}
    event = Event("CONFIG_EDITED", "CONFIG", "node", None, name, details=details)
    with audited(deps, actor, event) as connection:
        preview, new = _preview(connection, name, body)
        push = configs.Push(name, new.text, new.config, expected, body.allow_shrink)
        done = configs.activate(connection, push, actor)
    return preview.model_copy(update={"generation": done.generation, "changed": done.changed})


def _preview(connection: Connection, name: str, body: EditRequest) -> tuple[EditedConfig, Result]:
    active = configs.active(connection, name)
    text = active["yaml_config"]
    try:
        new = result(text, body.edits)
    except EditError as error:
        raise ApiError(422, "invalid_edit", f"{name}: {error}.") from error
    except ConfigError as error:
        raise configs.unusable(error) from error
    now = connection.execute(select(func.now())).scalar_one()
    shown = EditedConfig(
        node=name,
        base_hash=active["config_hash"],
        config_hash=new.hash,
        changed=new.text != text,
        diff=unified(name, text, new.text),
        terminates=terminated_by(new.config, configs.pool_sizes(connection, name), now),
    )
    return shown, new
