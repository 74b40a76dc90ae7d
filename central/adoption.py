"""Adopting what a node runs: validated and stored like a push, as a version above the agent's."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, text

from central.errors import ApiError
from central.store import adoptions, audit, configs
from central.store.audit import Actor, Event
from shared.config.hashing import config_hash
from shared.config.loader import load
from shared.config.problems import ConfigError

ADOPTION_LOCK = 0x706F6F6C0A  # "pool" 0A: one replica at a time
ANY_NUMBER = 1_000_000  # of instances: what a node runs already terminates none


def adopt_all(engine: Engine) -> int:
    """Decide about everything that was sent; returns how much that was."""
    count = 0
    while adopt_one(engine):
        count += 1
    return count


def adopt_one(engine: Engine) -> bool:
    """Decide about one configuration that was sent; False when there is none.

    Ingest locks a node before its adoption, and so does this: the adoption is only read first.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADOPTION_LOCK})
        row = adoptions.sent(connection)
        if row is None:
            return False
        done = _adopted(connection, row)
        adoptions.decide(
            connection,
            row["node_id"],
            "refused" if done.reason else "adopted",
            done.reason,
            config_hash=done.config_hash,
            generation=done.generation,
        )
        return True


@dataclass(frozen=True, slots=True)
class _Decision:
    reason: str | None = None
    config_hash: str | None = None
    generation: int | None = None


def _adopted(connection: Connection, row: RowMapping) -> _Decision:
    actor = Actor(row["requested_by"], row["requested_by_email"], row["requested_by_role"])
    event = Event("CONFIG_ADOPTED", "CONFIG", "node", None, row["node"])
    sent: str = row["yaml_config"]
    if config_hash(sent) != row["running_hash"]:
        return _refused(connection, actor, event, "what it sent is not what it says that it runs")
    try:
        push = configs.Push(
            row["node"],
            sent,
            load(sent),
            row["base_hash"] or "",
            ANY_NUMBER,
            row["take_over"],
            renews=True,
        )
        with connection.begin_nested():
            done = configs.activate(connection, push, actor)
            audit.append(connection, actor, event)
    except (ApiError, ConfigError) as error:
        return _refused(connection, actor, event, str(error))
    return _Decision(None, done.config_hash, done.generation)


def _refused(connection: Connection, actor: Actor, event: Event, reason: str) -> _Decision:
    audit.append(connection, actor, event.failed(reason[:2000]))
    return _Decision(reason)
