"""A text beside the active configuration: what is wrong with it and what it would do. No change."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, func, select

from central.deps import Deps
from central.errors import ApiError
from central.patching import terminated_by
from central.previews import DAYS, previews
from central.store import configs, nodes, projection
from central.yaml_edit import unified
from shared.config.capabilities import unknown_keys
from shared.config.lints import lint
from shared.config.loader import Document, load, load_document
from shared.config.models import Config
from shared.config.problems import ConfigError, Problem
from shared.wire_review import CheckedConfig, ConfigReview, Finding


def check(source: bytes, now: datetime) -> CheckedConfig:
    """Everything that is wrong with a text, or doubtful in it."""
    try:
        document = load_document(source)
    except ConfigError as error:
        return CheckedConfig(
            usable=False, config_hash=None, problems=findings(error.problems), warnings=[]
        )
    warnings = findings(lint(document, now))
    return CheckedConfig(usable=True, config_hash=document.hash, problems=[], warnings=warnings)


def review(deps: Deps, name: str, source: bytes) -> ConfigReview:
    """What a text would change on a node.

    Raises:
        ApiError: 404 unknown node; 422 with every problem of a text that cannot be used.
    """
    document = usable(source)
    with deps.engine.connect() as connection:
        node_id = nodes.id_of(connection, name)
        row = configs.active_or_none(connection, node_id)
        now = database_now(connection)
        stored = projection.existing(connection, document.config, lock=False)
        able = nodes.capabilities(connection, node_id)
    current = None if row is None else loadable(row["yaml_config"])
    before = "" if row is None else row["yaml_config"]
    shown, left_out = previews(document.config, current, now, deps.replays.hurry())
    return ConfigReview(
        node=name,
        base_hash=None if row is None else row["config_hash"],
        base_generation=None if row is None else row["generation"],
        config_hash=document.hash,
        changed=row is None or row["config_hash"] != document.hash,
        diff=unified(name, before, document.text),
        warnings=findings([*_unknown(document, able), *lint(document, now)]),
        terminates=terminated_by(document.config, configs.sizes_of(stored), now),
        refusal=_refusal(node_id, document.config, stored),
        retires=_retired(current, document.config),
        pools=[pool.name for pool in document.config.pools],
        touched=_touched(current, document.config),
        preview_days=DAYS,
        previews=shown,
        previews_left_out=left_out,
    )


def usable(source: bytes) -> Document:
    """A text as a configuration.

    Raises:
        ApiError: 422 with every problem's place.
    """
    try:
        return load_document(source)
    except ConfigError as error:
        raise configs.unusable(error) from error


def loadable(text: str) -> Config | None:
    """A stored configuration; None when this version cannot read what another one stored."""
    try:
        return load(text)
    except ConfigError:
        return None


def findings(problems: Iterable[Problem]) -> list[Finding]:
    """Problems as they cross the network."""
    return [Finding(line=p.line, column=p.column, path=p.path, message=p.message) for p in problems]


def database_now(connection: Connection) -> datetime:
    """The clock by which central judges; aware UTC."""
    moment: datetime = connection.execute(select(func.now())).scalar_one()
    return moment.astimezone(UTC)


def _refusal(node_id: int, config: Config, stored: dict[str, RowMapping]) -> str | None:
    """Why a push would be refused because another node has one of the pools."""
    try:
        projection.check_ownership(node_id, config, stored, take_over=False)
    except ApiError as error:
        return error.error
    return None


def _unknown(document: Document, capabilities: list[str]) -> Iterator[Problem]:
    """Keys for which a push would be refused because the node's agent is too old."""
    for location in unknown_keys(document.config, capabilities):
        message = "this node's agent is too old to know this key: upgrade it first"
        yield document.places.problem(location, message, at_key=True)


def _touched(current: Config | None, new: Config) -> list[str]:
    """Pools whose own section, with the defaults, is not what it was."""
    known = {pool.instance_pool_id: pool for pool in current.pools} if current else {}
    return [pool.name for pool in new.pools if known.get(pool.instance_pool_id) != pool]


def _retired(current: Config | None, new: Config) -> list[str]:
    kept = {pool.instance_pool_id for pool in new.pools}
    return [p.name for p in current.pools if p.instance_pool_id not in kept] if current else []
