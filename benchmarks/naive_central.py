"""The service that one would write first: sync routes, an ORM session and a commit per request.

It keeps the same tables, indexes and checks as central (the key, the frame and every record, the
stream's cursor, who owns a pool, presence, the configuration's hash) and answers after its commit.
`NAIVE_DATABASE_URL` names the database; the one worker listens on a free port and prints its URL.
"""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy import Engine, Table, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Session

from central import tables, tables_history, tables_support
from central.ingest.records import read_record
from central.liveness import after_heartbeat, silence_allowed
from central.tokens import digest
from shared.wire import (
    Acknowledged,
    Heartbeat,
    HeartbeatAnswer,
    Lifecycle,
    MetricSample,
    PoolAnalytics,
    Rejected,
)

INTERVAL = 30.0


class Base(DeclarativeBase):
    """The tables as classes."""

    metadata = tables.metadata


def mapped(name: str, table: Table) -> Any:
    """A class whose attributes are the table's columns."""
    return type(name, (Base,), {"__table__": table})


Node = mapped("Node", tables.nodes)
Pool = mapped("Pool", tables.pools)
Configuration = mapped("Configuration", tables.node_configurations)
Metric = mapped("Metric", tables_history.metrics)
NodeHeartbeat = mapped("NodeHeartbeat", tables_history.node_heartbeats)
LifecycleLog = mapped("LifecycleLog", tables_history.node_lifecycle_logs)
Analytics = mapped("Analytics", tables_history.pool_analytics)
NodeKey = mapped("NodeKey", tables_support.node_keys)
NodeState = mapped("NodeState", tables_support.node_state)
StreamCursor = mapped("StreamCursor", tables_support.stream_cursors)


def create_app(engine: Engine) -> FastAPI:
    """The whole service."""
    app = FastAPI()

    def _session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    @app.post("/v1/heartbeat")
    def post_heartbeat(
        beat: Heartbeat,
        session: Annotated[Session, Depends(_session)],
        authorization: Annotated[str, Header()],
    ) -> HeartbeatAnswer:
        hashed = digest(authorization.removeprefix("Bearer "))
        key = session.scalars(
            select(NodeKey).where(
                NodeKey.key_hash == hashed,
                NodeKey.revoked_at.is_(None),
                func.coalesce(NodeKey.expires_at > func.now(), True),
            )
        ).one_or_none()
        if key is None:
            raise HTTPException(401, "The node key is missing, unknown or revoked.")
        answer = _store(session, key.node_id, beat)
        session.commit()
        return answer

    return app


def _store(session: Session, node_id: int, beat: Heartbeat) -> HeartbeatAnswer:
    now = datetime.now(UTC).replace(tzinfo=None)
    state = session.get_one(NodeState, node_id, with_for_update=True)
    cursor = session.get(StreamCursor, (node_id, beat.stream_id))
    if cursor is None:
        cursor = StreamCursor(node_id=node_id, stream_id=beat.stream_id, last_sequence=0)
        session.add(cursor)
    rejected = []
    for raw in sorted(beat.records, key=lambda record: record.get("sequence", 0)):
        record = read_record(raw)
        if isinstance(record, Rejected):
            rejected.append(record)
        elif record.sequence > cursor.last_sequence:
            cursor.last_sequence = record.sequence
            refusal = _add(session, node_id, record)
            if refusal is not None:
                rejected.append(refusal)
    if beat.boot_id != state.boot_id or beat.sequence > state.sequence:
        _presence(session, state, beat, now)
    text = None
    report = beat.config
    if state.active_hash not in (None, report.running_hash, report.failed_hash):
        text = session.scalars(
            select(Configuration.yaml_config).where(
                Configuration.node_id == node_id, Configuration.is_active
            )
        ).one_or_none()
    return HeartbeatAnswer(
        config_hash=state.active_hash,
        generation=state.active_generation,
        yaml_config=text,
        next_heartbeat_seconds=INTERVAL,
        ack=Acknowledged(stream_id=beat.stream_id, sequence=cursor.last_sequence),
        rejected=rejected,
        observe_pools=state.observe_pools,
        server_time=now.replace(tzinfo=UTC),
    )


def _add(
    session: Session, node_id: int, record: PoolAnalytics | MetricSample | Lifecycle
) -> Rejected | None:
    values = record.model_dump(exclude={"kind", "sequence"})
    values["timestamp"] = record.timestamp.astimezone(UTC).replace(tzinfo=None)
    if isinstance(record, Lifecycle):
        session.add(LifecycleLog(node_id=node_id, **values))
        return None
    pool = None
    if record.oracle_pool_id is not None:
        pool = session.scalars(
            select(Pool).where(Pool.oracle_pool_id == record.oracle_pool_id)
        ).one_or_none()
        if pool is None or pool.node_id != node_id:
            return Rejected(
                sequence=record.sequence, code="unknown_pool", reason="not a pool of this node"
            )
    if isinstance(record, MetricSample):
        del values["oracle_pool_id"]
        session.add(Metric(node_id=node_id, pool_id=pool.id if pool else None, **values))
    elif pool is not None:
        for name in ("avg_cpu_utilization", "avg_memory_utilization"):
            values[name] = float("nan") if values[name] is None else values[name]
        session.add(Analytics(node_id=node_id, pool_id=pool.id, **values))
        pool.current_instances = record.current_instances
        pool.status = record.pool_status
        pool.last_analytics_at = values["timestamp"]
    return None


def _presence(session: Session, state: Any, beat: Heartbeat, now: datetime) -> None:
    node = session.get_one(Node, state.node_id)
    change = after_heartbeat(node.status, healthy=beat.status == "ok", goodbye=beat.goodbye)
    if change is not None:
        session.add(
            LifecycleLog(
                node_id=node.id,
                event_type=change.event,
                previous_status=change.previous,
                new_status=change.new,
                triggered_by="heartbeat",
            )
        )
        node.status = change.new
    node.last_heartbeat = now
    session.add(
        NodeHeartbeat(
            node_id=node.id,
            config_hash=beat.config.running_hash,
            status=beat.status,
            error_message=beat.error_message,
            metrics_data=str(beat.node_metrics),
            timestamp=beat.sent_at.astimezone(UTC).replace(tzinfo=None),
        )
    )
    state.received_at = now
    state.assigned_interval = INTERVAL
    state.deadline_at = now + timedelta(seconds=silence_allowed(INTERVAL))
    state.boot_id, state.sequence, state.stream_id = beat.boot_id, beat.sequence, beat.stream_id
    state.agent_version, state.protocol = beat.agent_version, beat.protocol
    state.capabilities = beat.capabilities
    state.running_hash = beat.config.running_hash
    state.received_hash = beat.config.received_hash
    state.failed_hash = beat.config.failed_hash
    state.apply_status, state.apply_error = beat.config.status, beat.config.error


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    app = create_app(create_engine(os.environ["NAIVE_DATABASE_URL"]))
    config = uvicorn.Config(app, access_log=False, log_level="warning", timeout_keep_alive=75)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
