"""The fleet in numbers, for Prometheus: one statement at each scrape."""

import logging
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, RowMapping, text
from sqlalchemy.exc import SQLAlchemyError

from central.notify.model import KINDS

log = logging.getLogger(__name__)
_FLEET = """
SELECT count(*) FILTER (WHERE n.status = 'ACTIVE') AS active,
       count(*) FILTER (WHERE n.status = 'INACTIVE') AS inactive,
       count(*) FILTER (WHERE n.status = 'ERROR') AS error,
       count(*) FILTER (WHERE n.status = 'OFFLINE') AS offline,
       count(*) FILTER (WHERE s.maintenance) AS maintenance,
       count(*) FILTER (WHERE s.duplicate_since IS NOT NULL AND s.rival_heard_at > now()
           - make_interval(secs => 3 * s.assigned_interval + 15)) AS duplicate,
       count(*) FILTER (WHERE behind AND NOT refused) AS waiting,
       count(*) FILTER (WHERE behind AND refused) AS refused,
       COALESCE(EXTRACT(EPOCH FROM now()::timestamp - min(c.created_at)
           FILTER (WHERE behind AND NOT refused AND n.status IN ('ACTIVE', 'ERROR'))), 0)::float8
           AS lag,
       (SELECT COALESCE(EXTRACT(EPOCH FROM now()::timestamp - min(done_until)), 0)::float8
        FROM rollup_state) AS rollup_lag,
       (SELECT count(*) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
        WHERE i.inhparent = 'metrics'::regclass
          AND right(p.relname, 8) > to_char(now(), 'YYYYMMDD')) AS days_ahead,
       (SELECT count(*) FROM rollouts WHERE state = 'running') AS rollouts_running,
       (SELECT count(*) FROM rollouts WHERE state = 'halted') AS rollouts_halted,
       (SELECT COALESCE(EXTRACT(EPOCH FROM now()::timestamp - min(created_at)), 0)::float8
        FROM notifications WHERE sent_at IS NULL
          AND created_at > now()::timestamp - interval '1 day') AS notification_lag,
       (SELECT COALESCE(json_object_agg(kind, number), '{}') FROM (
            SELECT kind, count(*) AS number FROM conditions GROUP BY kind) AS told) AS conditions
FROM nodes n JOIN node_state s ON s.node_id = n.id
LEFT JOIN node_configurations c ON c.node_id = n.id AND c.is_active
CROSS JOIN LATERAL (SELECT s.active_hash IS NOT NULL
                       AND s.active_hash IS DISTINCT FROM s.running_hash AS behind,
                    COALESCE(s.active_hash = s.failed_hash, false) AS refused) AS config
"""


class FleetMetrics(Collector):
    """The queue of this process and the fleet as the database has it."""

    def __init__(self, engine: Engine, queue_length: Callable[[], int]) -> None:
        self._engine = engine
        self._queue_length = queue_length

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The queue, and one statement's worth of the fleet."""
        yield _gauge(
            "poolkeeper_ingest_queue_heartbeats",
            "Heartbeats that wait for their commit.",
            self._queue_length(),
        )
        row = self._read()
        yield _gauge(
            "poolkeeper_database_up", "Whether the database answers.", 0 if row is None else 1
        )
        if row is not None:
            yield from _fleet(row)
            yield from _work(row)

    def _read(self) -> RowMapping | None:
        try:
            with self._engine.connect() as connection:
                return connection.execute(text(_FLEET)).mappings().one()
        except SQLAlchemyError as error:
            log.warning("no fleet in the metrics: %s", type(error).__name__)
            return None


def _fleet(row: RowMapping) -> Iterator[Metric]:
    statuses = GaugeMetricFamily("poolkeeper_nodes", "Nodes by status.", labels=["status"])
    for status in ("active", "inactive", "error", "offline"):
        statuses.add_metric([status.upper()], row[status])
    yield statuses
    for name, help_text in (
        ("maintenance", "Nodes whose silence is expected."),
        ("duplicate", "Nodes whose key two live agents use."),
        ("waiting", "Nodes that do not run their active configuration yet."),
        ("refused", "Nodes that refused their active configuration."),
    ):
        of_nodes = name in {"maintenance", "duplicate"}
        prefix = "poolkeeper_nodes_" if of_nodes else "poolkeeper_config_nodes_"
        yield _gauge(prefix + name, help_text, row[name])
    yield _gauge(
        "poolkeeper_config_lag_seconds",
        "Age of the oldest configuration that a living node has not applied.",
        row["lag"],
    )
    yield _gauge(
        "poolkeeper_rollup_lag_seconds", "How far the roll-ups are behind.", row["rollup_lag"]
    )
    yield _gauge(
        "poolkeeper_partitions_ahead_days", "Days with partitions to come.", row["days_ahead"]
    )


def _work(row: RowMapping) -> Iterator[Metric]:
    rollouts = GaugeMetricFamily(
        "poolkeeper_rollouts", "Roll-outs that are not over, by state.", labels=["state"]
    )
    for state in ("running", "halted"):
        rollouts.add_metric([state], row[f"rollouts_{state}"])
    yield rollouts
    conditions = GaugeMetricFamily(
        "poolkeeper_conditions", "What is wrong now, by kind.", labels=["kind"]
    )
    for kind in KINDS:
        conditions.add_metric([kind], row["conditions"].get(kind, 0))
    yield conditions
    yield _gauge(
        "poolkeeper_notification_lag_seconds",
        "Age of the oldest notification that no channel has taken yet.",
        row["notification_lag"],
    )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)
