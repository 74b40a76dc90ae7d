"""Configurations: pushed as exact bytes, validated, kept in every version."""

from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Response

from central.deps import Deps, Editor, Parts, Reader, audited, aware
from central.store import audit, configs
from central.store.audit import Actor, Event
from shared.config.loader import load
from shared.config.models import Config
from shared.config.problems import ConfigError
from shared.line_diff import unified_diff
from shared.wire_operator import ConfigVersion, Pushed

router = APIRouter(prefix="/v1/nodes/{name}/config", tags=["configurations"])
YAML = "application/yaml"
Generation = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Shrink = Annotated[int, Query(ge=0, le=1_000_000)]


@router.put("")
def push_config(
    name: str,
    deps: Parts,
    actor: Editor,
    body: Annotated[bytes, Body(media_type=YAML)],
    allow_shrink: Shrink = 0,
    take_over: bool = False,
    if_match: Annotated[str | None, Header(max_length=80)] = None,
) -> Pushed:
    """Validate and activate a configuration; `If-Match` names the active hash it replaces."""
    event = Event("CONFIG_PUSHED", "CONFIG", "node", None, name)
    config = _validated(deps, actor, event, body)
    expected = None if if_match in (None, "*") else str(if_match).strip('"')
    push = configs.Push(name, body.decode(), config, expected, allow_shrink, take_over)
    return _activate(deps, actor, event, push)


@router.get("", response_class=Response, responses={200: {"content": {YAML: {}}}})
def pull_config(name: str, deps: Parts, _actor: Reader, generation: Generation = None) -> Response:
    """The exact text of the active configuration, or of one generation; ETag is its hash."""
    with deps.engine.connect() as connection:
        row = (
            configs.active(connection, name)
            if generation is None
            else configs.version(connection, name, generation)
        )
    headers = {"ETag": f'"{row["config_hash"]}"', "X-Generation": str(row["generation"])}
    return Response(row["yaml_config"], media_type=YAML, headers=headers)


@router.get("/history")
def config_history(
    name: str,
    deps: Parts,
    _actor: Reader,
    before: Generation = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ConfigVersion]:
    """Every version, newest first, without its text."""
    with deps.engine.connect() as connection:
        rows = configs.history(connection, name, before=before, limit=limit)
    return [ConfigVersion.model_validate(aware(row)) for row in rows]


@router.get("/diff", response_class=Response, responses={200: {"content": {"text/x-diff": {}}}})
def diff_config(
    name: str,
    deps: Parts,
    _actor: Reader,
    old: Generation = None,
    new: Generation = None,
) -> Response:
    """A unified diff of two generations; by default of the one before the active, and it."""
    with deps.engine.connect() as connection:
        after = (
            configs.active(connection, name)
            if new is None
            else configs.version(connection, name, new)
        )
        if old is None:
            earlier = configs.history(connection, name, before=after["generation"], limit=1)
            old = earlier[0]["generation"] if earlier else None
        before = "" if old is None else configs.version(connection, name, old)["yaml_config"]
    names = f"{name} generation {old or 0}", f"{name} generation {after['generation']}"
    return Response(unified_diff(before, after["yaml_config"], *names), media_type="text/x-diff")


@router.post("/rollback")
def rollback_config(
    name: str,
    deps: Parts,
    actor: Editor,
    generation: Annotated[int, Query(ge=1, le=2**31 - 1)],
    allow_shrink: Shrink = 0,
) -> Pushed:
    """Activate the text of an earlier generation again, as a new one."""
    event = Event("CONFIG_ROLLED_BACK", "CONFIG", "node", None, name, details={"to": generation})
    with deps.engine.connect() as connection:
        text: str = configs.version(connection, name, generation)["yaml_config"]
    config = _validated(deps, actor, event, text.encode())
    push = configs.Push(name, text, config, allow_shrink=allow_shrink, rollback_of=generation)
    return _activate(deps, actor, event, push)


@router.post("/retry")
def retry_config(name: str, deps: Parts, actor: Editor) -> dict[str, str]:
    """Offer the active configuration again to a node that refused it."""
    event = Event("CONFIG_RETRIED", "CONFIG", "node", None, name)
    with audited(deps, actor, event) as connection:
        return {"node": name, "config_hash": configs.retry(connection, name)}


def _activate(deps: Deps, actor: Actor, event: Event, push: configs.Push) -> Pushed:
    with audited(deps, actor, event) as connection:
        done = configs.activate(connection, push, actor)
        if done.taken:
            taken = Event(
                "POOL_TAKEN_OVER", "POOL", "node", None, push.node, None, {"pools": done.taken}
            )
            audit.append(connection, actor, taken)
    return Pushed(
        node=push.node,
        config_hash=done.config_hash,
        generation=done.generation,
        changed=done.changed,
        pools=done.pools,
        retired=done.retired,
    )


def _validated(deps: Deps, actor: Actor, event: Event, body: bytes) -> Config:
    """Load a configuration, or refuse it with every problem's place; a refusal is audited."""
    try:
        return load(body)
    except ConfigError as error:
        refused = configs.unusable(error)
        with deps.engine.begin() as connection:
            audit.append(connection, actor, event.failed(refused.error[:2000]))
        raise refused from error
