"""Driving rollouts: k nodes at a time, the next ones when these have applied theirs.

Every step is one transaction under an advisory lock, so any replica may make the next one.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, text

from central.errors import ApiError
from central.store import audit, configs, rollouts
from central.store.audit import Actor, Event
from shared.config.loader import load
from shared.config.problems import ConfigError

log = logging.getLogger(__name__)
ROLLOUT_LOCK = 0x706F6F6C09  # "pool" 09: one replica at a time
CENTRAL = Actor(email="central")
MOST_STEPS = 100  # in a row, so that other work of the same thread gets its turn


def drive(engine: Engine) -> int:
    """Make every step that is due; returns how many there were."""
    with engine.connect() as connection:
        waiting = rollouts.running(connection)
    steps = 0
    for rollout_id in waiting:
        while steps < MOST_STEPS and step(engine, rollout_id):
            steps += 1
    return steps


def step(engine: Engine, rollout_id: int) -> bool:
    """One step of a rollout; False when it has to wait, has halted or is done."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ROLLOUT_LOCK})
        rollout = rollouts.lock(connection, rollout_id)
        if rollout["state"] != "running":
            return False
        rollouts.observe(connection, rollout_id)
        failed = rollouts.failures(connection, rollout_id)
        if failed:
            _halt(connection, rollout_id, failed)
            return False
        pending = rollouts.pending(connection, rollout_id, rollout["stage"])
        if not pending:
            return _next_stage(connection, rollout)
        if pending[0]["state"] == "pushed":
            return False
        _push(connection, rollout, pending[0])
        return True


def _next_stage(connection: Connection, rollout: RowMapping) -> bool:
    if rollout["stage"] < rollout["stages"]:
        rollouts.advance(connection, rollout["id"], stage=1)
        return True
    rollouts.move(connection, rollout["id"], "done", was="running")
    audit.append(connection, CENTRAL, event_of("ROLLOUT_DONE", rollout["id"]))
    return False


def _halt(connection: Connection, rollout_id: int, failed: list[str]) -> None:
    more = f" (and {len(failed) - 3} more)" if len(failed) > 3 else ""
    reason = f"{'; '.join(failed[:3])}{more}"
    rollouts.move(connection, rollout_id, "halted", reason, was="running")
    audit.append(connection, CENTRAL, event_of("ROLLOUT_HALTED", rollout_id, reason))
    log.warning("rollout %d is halted: %s", rollout_id, reason)


def _push(connection: Connection, rollout: RowMapping, row: RowMapping) -> None:
    """Activate one node's configuration, or note why not."""
    if row["status"] != "ACTIVE":
        rollouts.mark(connection, row["id"], "failed", f"it is {row['status']}")
        return
    outcome = _activated(connection, rollout, row)
    rollouts.mark(connection, row["id"], outcome.state, outcome.reason)
    rollouts.advance(connection, rollout["id"], terminated=outcome.terminated)


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: str
    reason: str | None = None
    terminated: int = 0


def _activated(connection: Connection, rollout: RowMapping, row: RowMapping) -> _Outcome:
    actor = Actor(rollout["created_by"], rollout["created_by_email"], rollout["created_by_role"])
    left = rollout["allow_shrink"] - rollout["terminated"]
    try:
        push = configs.Push(
            row["node"], row["yaml_config"], load(row["yaml_config"]), row["base_hash"], left
        )
        with connection.begin_nested():
            done = configs.activate(connection, push, actor)
            details = {"rollout": rollout["id"], "generation": done.generation}
            event = Event("CONFIG_PUSHED", "CONFIG", "node", None, row["node"], None, details)
            audit.append(connection, actor, event)
    except ApiError as error:
        state = "skipped" if error.code == "changed" else "failed"
        return _Outcome(state, error.error)
    except ConfigError as error:  # this central is of another version than the one that planned it
        return _Outcome("failed", str(error.problems[0]))
    return _Outcome("pushed", None, done.terminated)


def event_of(action: str, rollout_id: int, description: str | None = None) -> Event:
    """An audited event of a rollout."""
    return Event(action, "CONFIG", "rollout", str(rollout_id), None, description)
