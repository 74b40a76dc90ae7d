"""What central measures of itself, for Prometheus: ingest as it happens, the fleet when asked."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from sqlalchemy import Engine

from central.fleet_metrics import FleetMetrics
from central.ingest.model import Submission
from central.ingest.transaction import Committed, RefusedError, UnavailableError
from central.ingest.writer import Commit

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


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
        self.registry.register(FleetMetrics(engine, queue_length))

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
