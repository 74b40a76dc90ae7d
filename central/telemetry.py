"""What central measures of itself, for Prometheus: ingest as it happens, the fleet when asked."""

import logging
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, RowMapping, text
from sqlalchemy.exc import SQLAlchemyError

from central.ingest.model import Submission
from central.ingest.transaction import Committed, RefusedError, UnavailableError
from central.ingest.writer import Commit

log = logging.getLogger(__name__)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
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
          AND right(p.relname, 8) > to_char(now(), 'YYYYMMDD')) AS days_ahead
FROM nodes n JOIN node_state s ON s.node_id = n.id
LEFT JOIN node_configurations c ON c.node_id = n.id AND c.is_active
CROSS JOIN LATERAL (SELECT s.active_hash IS NOT NULL
                       AND s.active_hash IS DISTINCT FROM s.running_hash AS behind,
                    COALESCE(s.active_hash = s.failed_hash, false) AS refused) AS config
"""


class Telemetry:
    """Central's instruments; a registry of its own, so that any number of centrals may live."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.batches = Histogram(
            "poolkeeper_ingest_batch_heartbeats",
            "Heartbeats in one commit.",
            buckets=SIZES,
            registry=self.registry,
        )
        self.commits = Histogram(
            "poolkeeper_ingest_commit_seconds",
            "Time of one commit, with its statements.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.heartbeats = Counter(
            "poolkeeper_ingest_heartbeats",
            "Heartbeats by what became of them: committed, retried, refused, unavailable.",
            ["outcome"],
            registry=self.registry,
        )

    def watch(self, engine: Engine, queue_length: Callable[[], int]) -> None:
        """Show the queue and the fleet too, read at each scrape."""
        self.registry.register(_Fleet(engine, queue_length))

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class MeasuredCommit:
    """A commit that is measured; see `GroupCommit`."""

    def __init__(
        self, commit: Commit, telemetry: Telemetry, monotonic: Callable[[], float]
    ) -> None:
        self._commit = commit
        self._telemetry = telemetry
        self._monotonic = monotonic

    def write(self, batch: list[Submission]) -> Committed:
        """Commit a batch, and count what became of it."""
        started = self._monotonic()
        count = self._telemetry.heartbeats.labels
        try:
            done = self._commit.write(batch)
        except UnavailableError:
            count("unavailable").inc(len(batch))
            raise
        except RefusedError:
            count("retried").inc(len(batch))  # in smaller parts, until what is refused is alone
            raise
        self._telemetry.commits.observe(self._monotonic() - started)
        self._telemetry.batches.observe(len(batch))
        for outcome, number in (
            ("committed", len(done.replies)),
            ("refused", len(done.refused)),
            ("retried", len(done.busy)),
        ):
            count(outcome).inc(number)
        return done

    def close(self) -> None:
        """Let go of the connection."""
        self._commit.close()


class _Fleet(Collector):
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


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)
