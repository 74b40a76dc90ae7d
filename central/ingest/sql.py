"""Ingest's statements: arrays in, one statement per table, all writes in one round trip, no ORM."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from central.ingest.arrays import columns, texts
from central.ingest.model import NodeState, Rival, Submission
from central.ingest.plan import Plan, Stored, utc
from central.liveness import GRACE_SECONDS, MISSED_HEARTBEATS

_STATE = 15  # columns of LOCK_NODES that are a NodeState; the others are its rival


class Cursor(Protocol):
    """The part of a psycopg2 cursor that ingest uses."""

    def execute(self, query: str, values: Sequence[Any] = ..., /) -> None:
        """Run a statement; lists become arrays."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""


LOCK_NODES = f"""
SELECT s.node_id, n.status::text, s.boot_id, s.previous_boot_id, s.sequence,
       EXTRACT(EPOCH FROM now()::timestamp - s.offline_since)::float8, s.agent_version,
       s.reported_generation, s.active_hash, s.active_generation, s.retry_offers, s.observe_pools,
       COALESCE(s.deadline_at < now(), true), s.rotate_key_since IS NOT NULL, s.wants_config,
       s.rival_boot_id, s.rival_sequence, s.rival_beats,
       s.rival_heard_at > now() - make_interval(
           secs => {MISSED_HEARTBEATS} * s.assigned_interval + {GRACE_SECONDS}), s.duplicate_since
FROM node_state s JOIN nodes n ON n.id = s.node_id
WHERE s.node_id = ANY(%s) ORDER BY s.node_id FOR UPDATE OF s SKIP LOCKED
"""  # noqa: S608 # two numbers of ours
_CURSOR, _POOL, _NOW = "cursor", "pool", "now"
KNOWN = f"""
SELECT '{_CURSOR}', node_id, stream_id, last_sequence, NULL::timestamptz FROM stream_cursors
JOIN unnest(%s::int[], %s::text[]) AS u (node_id, stream_id) USING (node_id, stream_id)
UNION ALL
SELECT '{_POOL}', node_id, oracle_pool_id, id, NULL FROM pools WHERE oracle_pool_id = ANY(%s)
UNION ALL
SELECT '{_NOW}', NULL, NULL, NULL, now()
"""  # noqa: S608 # three words of ours
FORMER_OWNERS = """
SELECT pool_id, node_id, until AT TIME ZONE 'UTC' FROM pool_former_owners WHERE pool_id = ANY(%s)
"""
OWN_POOLS = """
SELECT node_id, array_agg(oracle_pool_id) FROM pools
WHERE node_id = ANY(%s) AND retired_at IS NULL GROUP BY node_id
"""
HEARTBEATS = """
INSERT INTO node_heartbeats (node_id, config_hash, status, error_message, metrics_data, timestamp)
SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamp[])
"""
ANALYTICS = """
INSERT INTO pool_analytics (pool_id, node_id, oracle_pool_id, timestamp, current_instances,
    active_instances, avg_cpu_utilization, avg_memory_utilization, max_cpu_utilization,
    max_memory_utilization, pool_status, is_active, scaling_event, scaling_reason, config_hash,
    decision)
SELECT * FROM unnest(%s::int[], %s::int[], %s::text[], %s::timestamp[], %s::int[], %s::int[],
    %s::float8[], %s::float8[], %s::float8[], %s::float8[], %s::text[], %s::bool[], %s::text[],
    %s::text[], %s::text[], %s::jsonb[])
"""
METRICS = """
INSERT INTO metrics (node_id, pool_id, metric_type, value, unit, timestamp)
SELECT * FROM unnest(%s::int[], %s::int[], %s::text[], %s::float8[], %s::text[], %s::timestamp[])
"""
LIFECYCLE = """
INSERT INTO node_lifecycle_logs (node_id, event_type, previous_status, new_status, reason,
    triggered_by, extra_data, timestamp)
SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::timestamp[])
"""
UPDATE_POOLS = """
UPDATE pools p SET current_instances = u.size, status = u.status::pool_status,
    last_analytics_at = u.at
FROM unnest(%s::int[], %s::int[], %s::text[], %s::timestamp[]) AS u (id, size, status, at)
WHERE p.id = u.id
"""
UPDATE_NODES = """
UPDATE nodes n SET last_heartbeat = now(), status = u.status::node_status,
    ip_address = COALESCE(u.ip, n.ip_address)
FROM unnest(%s::int[], %s::text[], %s::text[]) AS u (id, status, ip) WHERE n.id = u.id
"""
UPDATE_STATE = f"""
UPDATE node_state s SET received_at = now(), assigned_interval = u.interval,
    deadline_at = CASE WHEN u.goodbye THEN NULL ELSE now() + make_interval(
        secs => {MISSED_HEARTBEATS} * u.interval + {GRACE_SECONDS}) END,
    offline_since = NULL, stream_id = u.stream, boot_id = u.boot, previous_boot_id = u.previous,
    sequence = u.sequence, agent_version = u.version, protocol = u.protocol,
    capabilities = u.capabilities::text[], last_tick_at = u.last_tick, running_hash = u.running,
    received_hash = u.received, failed_hash = u.failed, apply_status = u.apply_status,
    apply_error = u.apply_error, reported_generation = u.generation,
    retry_offers = u.retry_offers, tenancy = COALESCE(u.tenancy, s.tenancy)
FROM unnest(%s::int[], %s::float8[], %s::bool[], %s::text[], %s::text[], %s::text[], %s::bigint[],
    %s::text[], %s::int[], %s::text[], %s::timestamp[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::int[], %s::int[], %s::text[])
    AS u (id, interval, goodbye, stream, boot, previous, sequence, version, protocol,
          capabilities, last_tick, running, received, failed, apply_status, apply_error,
          generation, retry_offers, tenancy)
WHERE s.node_id = u.id
"""  # noqa: S608 # two numbers of ours
UPDATE_RIVALS = """
UPDATE node_state s SET rival_boot_id = u.boot, rival_sequence = u.sequence, rival_beats = u.beats,
    rival_heard_at = now(), duplicate_since = u.since
FROM unnest(%s::int[], %s::text[], %s::bigint[], %s::int[], %s::timestamp[])
    AS u (id, boot, sequence, beats, since)
WHERE s.node_id = u.id
"""
UPSERT_CURSORS = """
INSERT INTO stream_cursors (node_id, stream_id, last_sequence)
SELECT * FROM unnest(%s::int[], %s::text[], %s::bigint[])
ON CONFLICT (node_id, stream_id)
DO UPDATE SET last_sequence = EXCLUDED.last_sequence, updated_at = now()
"""


def lock_nodes(cursor: Cursor, node_ids: Iterable[int]) -> dict[int, NodeState]:
    """Lock the nodes that nobody else is changing, in one order everywhere."""
    cursor.execute(LOCK_NODES, (sorted(set(node_ids)),))
    return {row[0]: _node_state(row) for row in cursor.fetchall()}


def _node_state(row: tuple[Any, ...]) -> NodeState:
    state = NodeState(*row[:_STATE])
    if row[_STATE] is not None:
        state.rival = Rival(*row[_STATE:])
    return state


def existing_nodes(cursor: Cursor, node_ids: list[int]) -> set[int]:
    """Which of these nodes there are at all."""
    cursor.execute("SELECT id FROM nodes WHERE id = ANY(%s)", (node_ids,))
    return {row[0] for row in cursor.fetchall()}


def load(cursor: Cursor, batch: list[Submission], nodes: dict[int, NodeState]) -> Stored:
    """Read what a batch is compared with; the locks keep it true until the commit."""
    streams = sorted({(s.node_id, s.beat.stream_id) for s in batch})
    ocids = {
        ocid
        for submission in batch
        for record in submission.records
        if (ocid := getattr(record, "oracle_pool_id", None)) is not None
    }
    cursor.execute(KNOWN, ([n for n, _ in streams], [s for _, s in streams], list(ocids)))
    rows = cursor.fetchall()
    cursors = {(node, stream): last for kind, node, stream, last, _ in rows if kind == _CURSOR}
    pools = {ocid: (pool, node) for kind, node, ocid, pool, _ in rows if kind == _POOL}
    (now,) = (at for kind, _, _, _, at in rows if kind == _NOW)
    former = _former_owners(cursor, batch, pools)
    return Stored(now, nodes, cursors, pools, former, _own_pools(cursor, batch, nodes))


def _former_owners(
    cursor: Cursor, batch: list[Submission], pools: dict[str, tuple[int, int]]
) -> dict[tuple[int, int], datetime]:
    """Until when pools were of nodes that still have records of them; seldom asked for."""
    lost = {
        pool[0]
        for submission in batch
        for record in submission.records
        if (pool := pools.get(getattr(record, "oracle_pool_id", None) or "")) is not None
        and pool[1] != submission.node_id
    }
    if not lost:
        return {}
    cursor.execute(FORMER_OWNERS, (sorted(lost),))
    return {(row[0], row[1]): row[2] for row in cursor.fetchall()}


def _own_pools(
    cursor: Cursor, batch: list[Submission], nodes: dict[int, NodeState]
) -> dict[int, list[str]]:
    """The pools of nodes for which another boot speaks than before; seldom asked for."""
    doubtful = {s.node_id for s in batch if nodes[s.node_id].boot_id not in (None, s.beat.boot_id)}
    if not doubtful:
        return {}
    cursor.execute(OWN_POOLS, (sorted(doubtful),))
    return {row[0]: row[1] for row in cursor.fetchall()}


def store(cursor: Cursor, plan: Plan, nodes: Collection[NodeState], interval: float) -> None:
    """Write a plan, in one round trip: waiting for PostgreSQL costs more than its work does."""
    heard = [(node, node.newest) for node in nodes if node.newest is not None]
    addresses = [(node.node_id, node.status, newest.ip_address) for node, newest in heard]
    pools = [(pool, *values) for pool, values in sorted(plan.pools.items())]
    states = [_state_row(node, newest, interval) for node, newest in heard]
    rivals = [_rival_row(node) for node in nodes if node.rival_changed]
    streams = [(*stream, last) for stream, last in plan.cursors.items()]
    # rows that we have changed ourselves need no further lock when the history refers to them
    bulks: tuple[tuple[str, str, Sequence[tuple[Any, ...]]], ...] = (
        (UPDATE_NODES, "ptt", addresses),
        (UPDATE_POOLS, "pptp", pools),
        (HEARTBEATS, "pttttp", plan.heartbeats),
        (ANALYTICS, "pptppppppptptttt", plan.analytics),
        (METRICS, "pptptp", plan.metrics),
        (LIFECYCLE, "pttttttp", plan.lifecycle),
        (UPDATE_STATE, "ppptttptptptttttppt", states),
        (UPDATE_RIVALS, "ptppp", rivals),
        (UPSERT_CURSORS, "ptp", streams),
    )
    filled = [bulk for bulk in bulks if bulk[2]]
    values = [column for _, kinds, rows in filled for column in columns(kinds, rows)]
    if filled:
        cursor.execute(";".join(statement for statement, _, _ in filled), values)


def _state_row(node: NodeState, newest: Submission, interval: float) -> tuple[Any, ...]:
    beat = newest.beat
    report = beat.config
    return (
        node.node_id,
        interval,
        beat.goodbye,
        beat.stream_id,
        node.boot_id,
        node.previous_boot_id,
        node.sequence,
        node.agent_version,
        beat.protocol,
        texts(beat.capabilities),
        None if beat.last_tick_at is None else utc(beat.last_tick_at),
        report.running_hash,
        report.received_hash,
        report.failed_hash,
        report.status,
        report.error,
        node.reported_generation,
        node.retry_offers,
        beat.tenancy,
    )


def _rival_row(node: NodeState) -> tuple[Any, ...]:
    rival = node.rival or Rival("", 0)
    since = None if rival.since is None else utc(rival.since)
    return (node.node_id, rival.boot_id, rival.sequence, rival.beats, since)
