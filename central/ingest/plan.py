"""What a batch of heartbeats changes: rows and replies, computed from what is stored. Pure."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from central.ingest import rivals
from central.ingest.model import NodeState, Reply, StoredRecord, Submission
from central.ingest.rivals import Hearing
from central.liveness import Transition, after_heartbeat
from shared.wire import Heartbeat, Lifecycle, MetricSample, PoolAnalytics, Rejected

NAN = float("nan")
RETRY_OFFERS = 3  # times a refused YAML is offered again after `config retry` or an upgrade


@dataclass(slots=True)
class Stored:
    """What the database knew at the start of the transaction.

    `cursors` by (node, stream); `pools` by OCID: (pool id, owner's node id); `former` until when a
    pool was another node's, by (pool id, node id); `own_pools`: the OCIDs of nodes that a boot
    speaks for which is not theirs.
    """

    now: datetime
    nodes: dict[int, NodeState]
    cursors: dict[tuple[int, str], int]
    pools: dict[str, tuple[int, int]]
    former: dict[tuple[int, int], datetime] = field(default_factory=dict)
    own_pools: dict[int, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """Rows to write, in the order of each statement's columns, and the replies to give."""

    heartbeats: list[tuple[Any, ...]] = field(default_factory=list)
    analytics: list[tuple[Any, ...]] = field(default_factory=list)
    metrics: list[tuple[Any, ...]] = field(default_factory=list)
    lifecycle: list[tuple[Any, ...]] = field(default_factory=list)
    pools: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    cursors: dict[tuple[int, str], int] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)


def make_plan(batch: list[Submission], stored: Stored) -> Plan:
    """Plan a batch; every submission's node must be among the stored ones, which are updated."""
    plan = Plan()
    for submission in batch:
        node = stored.nodes[submission.node_id]
        if submission.presence:
            _plan_hearing(plan, node, submission, stored.now)
        rejected, cursor = _plan_records(plan, submission, stored)
        plan.replies.append(_reply(node, submission, cursor, rejected, stored))
    return plan


def _plan_hearing(plan: Plan, node: NodeState, submission: Submission, now: datetime) -> None:
    beat = submission.beat
    match rivals.hear(node, beat):
        case Hearing.NEWEST:
            _plan_presence(plan, node, submission, now)
        case Hearing.RIVAL if rivals.count(node, beat, now):
            plan.lifecycle.append(_duplicate_event(node, submission, now))


def _plan_presence(plan: Plan, node: NodeState, submission: Submission, now: datetime) -> None:
    beat = submission.beat
    plan.heartbeats.append(_heartbeat_row(node.node_id, beat))
    transition = after_heartbeat(node.status, healthy=beat.status == "ok", goodbye=beat.goodbye)
    if transition is not None:
        extra: dict[str, Any] = {"agent_version": beat.agent_version}
        if transition.previous == "OFFLINE" and node.offline_seconds is not None:
            extra["offline_seconds"] = round(node.offline_seconds, 3)
        reason = beat.error_message if transition.new == "ERROR" else None
        plan.lifecycle.append(_event(node.node_id, transition, reason, extra, now))
        node.status, node.offline_seconds = transition.new, None
    generation = beat.config.generation
    if generation > (node.active_generation or 0) and generation != node.reported_generation:
        unchanged = Transition(node.status, node.status, "CENTRAL_BEHIND")
        reason = f"the agent has applied generation {generation}; this store knows no such one"
        plan.lifecycle.append(_event(node.node_id, unchanged, reason, {}, now))
    if node.agent_version not in (None, beat.agent_version):
        node.retry_offers = RETRY_OFFERS
    rivals.follow(node, beat)
    node.agent_version = beat.agent_version
    node.reported_generation = generation
    node.newest = submission


def _heartbeat_row(node_id: int, beat: Heartbeat) -> tuple[Any, ...]:
    details = {
        **beat.node_metrics,
        "agent_version": beat.agent_version,
        "last_tick_at": beat.last_tick_at.isoformat() if beat.last_tick_at else None,
        "goodbye": beat.goodbye,
    }
    running = beat.config.running_hash
    return (
        node_id,
        running,
        beat.status,
        beat.error_message,
        to_json(details).decode(),
        utc(beat.sent_at),
    )


def _plan_records(plan: Plan, submission: Submission, stored: Stored) -> tuple[list[Rejected], int]:
    stream = (submission.node_id, submission.beat.stream_id)
    cursor = stored.cursors.get(stream, 0)
    rejected = list(submission.rejected)  # told again to a repeat: the first answer may be lost
    done = cursor
    for record in submission.records:
        if record.sequence > done:
            done = record.sequence
            refusal = _plan_record(plan, submission.node_id, record, stored)
            if refusal is not None:
                rejected.append(refusal)
    done = max(done, submission.highest)
    if done > cursor or stream not in stored.cursors:
        plan.cursors[stream] = stored.cursors[stream] = done
    return rejected, done


def _plan_record(plan: Plan, node_id: int, record: StoredRecord, stored: Stored) -> Rejected | None:
    if isinstance(record, Lifecycle):
        plan.lifecycle.append(
            (
                node_id,
                record.event_type,
                record.previous_status,
                record.new_status,
                record.reason,
                record.triggered_by,
                json.dumps(record.extra_data) if record.extra_data is not None else None,
                utc(record.timestamp),
            )
        )
        return None
    pool_id, is_owner = None, False
    if record.oracle_pool_id is not None:
        pool_id, owner = stored.pools.get(record.oracle_pool_id, (None, None))
        is_owner = owner == node_id
        if pool_id is None or not (is_owner or _was_owner(stored, pool_id, node_id, record)):
            return Rejected(
                sequence=record.sequence,
                code="unknown_pool",
                reason=f"no pool {record.oracle_pool_id} belongs to this node",
            )
    if isinstance(record, MetricSample):
        plan.metrics.append(
            (node_id, pool_id, record.metric_type, record.value, record.unit, utc(record.timestamp))
        )
    elif pool_id is not None:
        plan.analytics.append(_analytics_row(pool_id, node_id, record))
        if is_owner:
            now = (record.current_instances, record.pool_status, utc(record.timestamp))
            plan.pools[pool_id] = now
    return None


def _was_owner(
    stored: Stored, pool_id: int, node_id: int, record: PoolAnalytics | MetricSample
) -> bool:
    """Whether a record is of the time before another node took the pool over."""
    until = stored.former.get((pool_id, node_id))
    return until is not None and record.timestamp <= until


def _analytics_row(pool_id: int, node_id: int, record: PoolAnalytics) -> tuple[Any, ...]:
    return (
        pool_id,
        node_id,
        record.oracle_pool_id,
        utc(record.timestamp),
        record.current_instances,
        record.active_instances,
        NAN if record.avg_cpu_utilization is None else record.avg_cpu_utilization,
        NAN if record.avg_memory_utilization is None else record.avg_memory_utilization,
        record.max_cpu_utilization,
        record.max_memory_utilization,
        record.pool_status,
        record.is_active,
        record.scaling_event,
        record.scaling_reason,
        record.config_hash,
        None if record.decision is None else to_json(record.decision).decode(),
    )


def _reply(
    node: NodeState, submission: Submission, cursor: int, rejected: list[Rejected], stored: Stored
) -> Reply:
    report = submission.beat.config
    differs = node.active_hash is not None and node.active_hash != report.running_hash
    arrived = report.received_hash == node.active_hash and report.status == "applying"
    failed = report.failed_hash == node.active_hash
    offers = differs and not arrived and (not failed or node.retry_offers > 0)
    if offers and failed:
        node.retry_offers -= 1
    observe, duplicate = node.observe_pools, node.has_duplicate
    if duplicate and submission.beat.boot_id != node.boot_id:  # one of the two may resize
        observe = sorted({*observe, *stored.own_pools.get(node.node_id, ())})
    return Reply(
        submission,
        cursor,
        node.active_hash,
        node.active_generation,
        offers,
        rejected,
        observe,
        stored.now,
        duplicate,
        node.wants_config,
    )


def _duplicate_event(node: NodeState, submission: Submission, now: datetime) -> tuple[Any, ...]:
    beat, address = submission.beat, submission.ip_address
    reason = (
        f"another agent is alive on this node's key (from {address or 'an unknown address'}): only"
        " one of the two may resize; enrol the other as a node of its own"
    )
    extra = {
        "boot_id": beat.boot_id,
        "stream_id": beat.stream_id,
        "ip_address": address,
        "agent_version": beat.agent_version,
    }
    unchanged = Transition(node.status, node.status, "DUPLICATE_AGENT")
    return _event(node.node_id, unchanged, reason, extra, now)


def _event(
    node_id: int, change: Transition, reason: str | None, extra: dict[str, Any], now: datetime
) -> tuple[Any, ...]:
    details = json.dumps(extra)
    kind = (change.event, change.previous, change.new)
    return (node_id, *kind, reason, "heartbeat", details, utc(now))


def utc(moment: datetime) -> str:
    """An instant as a TIMESTAMP column takes it."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not aware.utcoffset():  # nearly always, and several times faster
        return aware.isoformat(sep=" ")[: -len("+00:00")]
    return aware.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
