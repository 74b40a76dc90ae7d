"""Declaring silent nodes offline, once, by the database's clock."""

from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, text

from central.liveness import amnesty, is_mass_failure
from central.store import audit
from central.store.audit import Actor, Event

SWEEP_LOCK = 0x706F6F6C03  # "pool" 03
GAP_SECONDS = 30.0  # a sweep this late means that central or its database was away
LONGEST_HOLD_SECONDS = 900.0
BATCH = 1000

_STATE = """
SELECT EXTRACT(EPOCH FROM now()::timestamp - alive_at)::float8 AS gap,
       EXTRACT(EPOCH FROM now()::timestamp - healthy_since)::float8 AS healthy,
       outage_seconds,
       EXTRACT(EPOCH FROM now()::timestamp - disruption_since)::float8 AS disrupted,
       (SELECT COALESCE(max(assigned_interval), 30) FROM node_state
        WHERE deadline_at IS NOT NULL) AS longest,
       (SELECT count(*) FROM node_state
        WHERE deadline_at IS NOT NULL AND NOT maintenance) AS expected,
       (SELECT count(*) FROM node_state s JOIN nodes n ON n.id = s.node_id
        WHERE s.deadline_at < now() AND NOT s.maintenance
          AND n.status IN ('ACTIVE', 'ERROR')) AS overdue
FROM central_state FOR UPDATE
"""
_ALIVE = """
UPDATE central_state SET alive_at = now(),
    healthy_since = CASE WHEN :away THEN now() ELSE healthy_since END,
    outage_seconds = CASE WHEN :away THEN :gap ELSE outage_seconds END
"""
_DISRUPTION = "UPDATE central_state SET disruption_since = now()"
_RECOVERED = "UPDATE central_state SET disruption_since = NULL"
# The statuses are checked again on the locked rows, so that of any number of replicas one wins.
_OFFLINE = """
WITH late AS (
    SELECT s.node_id, n.status, s.deadline_at, s.received_at
    FROM node_state s JOIN nodes n ON n.id = s.node_id
    WHERE s.deadline_at < now() AND NOT s.maintenance AND n.status IN ('ACTIVE', 'ERROR')
    ORDER BY s.node_id LIMIT :batch FOR UPDATE OF s, n SKIP LOCKED
), moved AS (
    UPDATE nodes n SET status = 'OFFLINE' FROM late
    WHERE n.id = late.node_id AND n.status IN ('ACTIVE', 'ERROR')
    RETURNING n.id
), marked AS (
    UPDATE node_state s SET offline_since = late.deadline_at FROM late
    WHERE s.node_id = late.node_id
)
INSERT INTO node_lifecycle_logs
    (node_id, event_type, previous_status, new_status, reason, triggered_by, extra_data, timestamp)
SELECT late.node_id, 'WENT_OFFLINE', late.status::text, 'OFFLINE',
       'no heartbeat since ' || to_char(late.received_at, 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
       'system', CASE WHEN :tagged THEN '{"during_disruption": true}' END, late.deadline_at
FROM late JOIN moved ON moved.id = late.node_id
"""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one pass did: how many nodes went offline, or why it held its judgement."""

    offline: int = 0
    held: str | None = None


def sweep(connection: Connection) -> Sweep:
    """One pass; of several replicas at the same moment one does it.

    The passes themselves tell whether central was away: a late pass starts an amnesty, in which
    agents have the time to come back before anybody is called offline. When most of the fleet goes
    silent together, that is one event for all, and the nodes' own are held for up to 15 minutes.
    """
    lock = text("SELECT pg_try_advisory_xact_lock(:key)")
    if not connection.execute(lock, {"key": SWEEP_LOCK}).scalar_one():
        return Sweep(held="another replica sweeps")
    state = connection.execute(text(_STATE)).mappings().one()
    away = state["gap"] > GAP_SECONDS
    connection.execute(text(_ALIVE), {"away": away, "gap": state["gap"]})
    healthy, outage = (0.0, state["gap"]) if away else (state["healthy"], state["outage_seconds"])
    if outage > 0 and healthy < amnesty(state["longest"], outage):
        return Sweep(held="amnesty")
    if _is_held(connection, state):
        return Sweep(held="mass failure")
    tagged = state["disrupted"] is not None and state["overdue"] > 0
    moved = connection.execute(text(_OFFLINE), {"batch": BATCH, "tagged": tagged}).rowcount
    return Sweep(offline=moved)


def _is_held(connection: Connection, state: RowMapping) -> bool:
    if not is_mass_failure(state["overdue"], state["expected"]):
        if state["disrupted"] is not None:
            connection.execute(text(_RECOVERED))
        return False
    if state["disrupted"] is None:
        connection.execute(text(_DISRUPTION))
        details = {"silent": state["overdue"], "expected": state["expected"]}
        event = Event(
            "FLEET_DISRUPTION",
            "SYSTEM",
            description=f"{state['overdue']} of {state['expected']} nodes went silent together",
            details=details,
        )
        audit.append(connection, Actor(), event)
        return True
    return bool(state["disrupted"] < LONGEST_HOLD_SECONDS)
