"""Finding out what is wrong now, and queueing a message when something begins or is over.

Conditions are read off the tables' present state, not off events, so a restart, a second replica or
a lost event changes nothing: a condition is there or it is not.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, Engine, text

from central.notify.model import NotifySettings

NOTIFY_LOCK = 0x706F6F6C0B  # "pool" 0B: one replica at a time
FLOOR_SECONDS = 900.0
CLEAR_SECONDS = 120.0  # for so long a condition must be gone before it is over

# Pools say how they are once a minute. A pool of which nothing was heard for three minutes is as it
# was: its node is what is wrong then.
_SEEN = """
WITH news AS (
    SELECT pool_id, scaling_event, scaling_reason, active_instances, is_active, decision,
           decision->'reasons' AS reasons,
           row_number() OVER (PARTITION BY pool_id ORDER BY timestamp DESC, id DESC) = 1 AS newest
    FROM pool_analytics WHERE received_at > now()::timestamp - interval '3 minutes'
), pool AS (
    SELECT pool_id,
        bool_or(scaling_event = 'CAPACITY_ERROR' OR reasons @> '[{"code": "blocked_capacity"}]')
            AS capacity,
        bool_or(newest AND reasons @> '[{"code": "pool_stuck"}]') AS stuck,
        bool_or(newest AND scaling_reason LIKE 'somebody else changed the size against %'
            OR scaling_event = 'CONTENDED') AS contended,
        bool_or(newest AND is_active
            AND active_instances < (decision->'bounds'->>'floor')::int) AS floor_unattainable,
        bool_or(newest AND is_active AND reasons @> '[{"code": "at_ceiling"}]') AS at_limit,
        max(scaling_reason) FILTER (WHERE newest) AS reason,
        max(active_instances) FILTER (WHERE newest) AS running,
        max((decision->'bounds'->>'floor')::int) FILTER (WHERE newest) AS floor
    FROM news GROUP BY pool_id
), found AS (
    SELECT 'node_offline' AS kind, n.name AS subject, n.id AS node_id, NULL::int AS pool_id,
           COALESCE('no heartbeat since '
               || to_char(n.last_heartbeat, 'YYYY-MM-DD HH24:MI:SS') || ' UTC', 'not heard') AS text
    FROM nodes n JOIN node_state s ON s.node_id = n.id
    WHERE n.status = 'OFFLINE' AND NOT s.maintenance
    UNION ALL
    SELECT 'config_rejected', n.name, n.id, NULL, COALESCE(s.apply_error, 'no reason given')
    FROM nodes n JOIN node_state s ON s.node_id = n.id
    WHERE s.failed_hash = s.active_hash AND s.apply_status = 'failed'
    UNION ALL
    SELECT 'duplicate_agent', n.name, n.id, NULL, 'two live agents use its key'
    FROM nodes n JOIN node_state s ON s.node_id = n.id WHERE s.duplicate_since IS NOT NULL
    UNION ALL
    SELECT 'fleet_disruption', 'fleet', NULL, NULL, 'most nodes went silent together'
    FROM central_state WHERE disruption_since IS NOT NULL
    UNION ALL
    SELECT v.kind, n.name || '/' || p.name, n.id, p.id, COALESCE(v.text, 'no reason given')
    FROM pool JOIN pools p ON p.id = pool.pool_id AND p.retired_at IS NULL
    JOIN nodes n ON n.id = p.node_id
    CROSS JOIN LATERAL (VALUES
        ('capacity', pool.capacity, pool.reason),
        ('stuck', pool.stuck, pool.reason),
        ('contended', pool.contended, pool.reason),
        ('at_limit', pool.at_limit, pool.reason),
        ('floor_unattainable', pool.floor_unattainable, pool.running
            || ' instances run where at least ' || pool.floor || ' should: ' || pool.reason)
    ) AS v (kind, holds, text) WHERE v.holds
), kept AS (
    INSERT INTO conditions (kind, subject, node_id, pool_id, text)
    SELECT kind, subject, node_id, pool_id, left(text, 2000) FROM found
    ON CONFLICT (kind, subject) DO UPDATE SET text = EXCLUDED.text, last_seen_at = now(),
        node_id = EXCLUDED.node_id, pool_id = EXCLUDED.pool_id
    RETURNING id
)
UPDATE conditions c SET last_seen_at = now()::timestamp - interval '1 second'  -- not by us, now
WHERE pool_id IN (SELECT id FROM pools WHERE retired_at IS NULL)
  AND pool_id NOT IN (SELECT pool_id FROM news) AND id NOT IN (SELECT id FROM kept)
"""
_BEGUN = """
WITH told AS (
    UPDATE conditions SET told_at = now() WHERE told_at IS NULL AND last_seen_at = now()
      AND since <= now()::timestamp - make_interval(secs => CASE kind
          WHEN 'at_limit' THEN :at_limit WHEN 'floor_unattainable' THEN :floor ELSE 0 END)
    RETURNING kind, subject, text, since
)
INSERT INTO notifications (channel, state, kind, subject, text, since)
SELECT channel, 'firing', kind, subject, text, since
FROM told CROSS JOIN unnest(CAST(:channels AS text[])) AS channel
"""
_OVER = """
WITH gone AS (
    DELETE FROM conditions WHERE last_seen_at < now()::timestamp - make_interval(secs => :clear)
    RETURNING kind, subject, text, since, told_at
)
INSERT INTO notifications (channel, state, kind, subject, text, since)
SELECT channel, 'resolved', kind, subject, text, since
FROM gone CROSS JOIN unnest(CAST(:channels AS text[])) AS channel WHERE told_at IS NOT NULL
"""
_FORGET = "DELETE FROM notifications WHERE created_at < now()::timestamp - interval '30 days'"


def watch(engine: Engine, settings: NotifySettings) -> None:
    """Bring `conditions` up to date and queue what is to be told."""
    with engine.begin() as connection:
        lock = text("SELECT pg_try_advisory_xact_lock(:key)")
        if connection.execute(lock, {"key": NOTIFY_LOCK}).scalar_one():
            look(connection, [channel.name for channel in settings.channels], settings.at_limit)


def look(connection: Connection, channels: Sequence[str], at_limit: timedelta) -> None:
    """One pass; `channels` are those that will be told."""
    connection.execute(text(_SEEN))
    names = {"channels": list(channels)}
    if channels:  # else it is told when there is somebody to tell
        holds = {"at_limit": at_limit.total_seconds(), "floor": FLOOR_SECONDS}
        connection.execute(text(_BEGUN), {**holds, **names})
    connection.execute(text(_OVER), {"clear": CLEAR_SECONDS, **names})
    connection.execute(text(_FORGET))
