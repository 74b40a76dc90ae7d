"""A simulated tenancy with the real OCI SDK pointed at it, for tests of whatever talks to OCI."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import oci

from simulator.clock import SteppedClock
from simulator.faults import Faults
from simulator.keys import ApiKey
from simulator.pools import Pool
from simulator.scenario import ConstantCurve, PoolSpec
from simulator.server import Running
from simulator.world import World

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
COMPARTMENT = "ocid1.compartment.oc1..simulated"


def wall_now() -> datetime:
    return datetime.now(UTC)


def stepped_world(key: ApiKey, **settings: Any) -> World:
    """A world that stands at noon until a test advances it, and knows one key."""
    world = World(SteppedClock(NOON), wall_now, **settings)
    world.register_key(key.tenancy, key.user, key.public_key.read_text())
    return world


def constant(value: float) -> ConstantCurve:
    return ConstantCurve(kind="constant", value=value)


@dataclass
class OciWorld:
    """A world, its server, and typed SDK clients without retries that talk to it."""

    running: Running
    config: dict[str, str]

    @property
    def world(self) -> World:
        return self.running.world

    @property
    def url(self) -> str:
        return self.running.url

    def client(self, kind: Any, url: str | None = None) -> Any:
        return kind(
            self.config,
            service_endpoint=url or self.url,
            timeout=(2, 10),
            circuit_breaker_strategy=oci.circuit_breaker.NoCircuitBreakerStrategy(),
        )

    @cached_property
    def compute(self) -> Any:
        return self.client(oci.core.ComputeManagementClient)

    @cached_property
    def monitoring(self) -> Any:
        return self.client(oci.monitoring.MonitoringClient)

    @cached_property
    def work(self) -> Any:
        return self.client(oci.work_requests.WorkRequestClient)

    @cached_property
    def autoscaling(self) -> Any:
        return self.client(oci.autoscaling.AutoScalingClient)

    def add_pool(self, name: str = "web", **settings: Any) -> Pool:
        return self.world.add_pool(PoolSpec(name=name, **settings))

    def break_with(self, **faults: Any) -> None:
        self.world.faults = Faults(**faults)

    def get(self, pool: Pool) -> Any:
        return self.compute.get_instance_pool(pool.id)

    def resize(self, pool: Pool, size: int, **options: Any) -> Any:
        details = oci.core.models.UpdateInstancePoolDetails(size=size)
        return self.compute.update_instance_pool(pool.id, details, **options)

    def summarize(self, query: str, **options: Any) -> list[Any]:
        """Ask Monitoring; `back` is how far the range reaches back, 10 minutes by default."""
        now = self.world.now()
        compartment = options.pop("compartment", COMPARTMENT)
        subtree = options.pop("subtree", None)
        settings = {
            "namespace": "oci_computeagent",
            "query": query,
            "start_time": now - options.pop("back", timedelta(minutes=10)),
            "end_time": now + timedelta(minutes=1),
        } | options
        details = oci.monitoring.models.SummarizeMetricsDataDetails(**settings)
        extra = {} if subtree is None else {"compartment_id_in_subtree": subtree}
        found: list[Any] = self.monitoring.summarize_metrics_data(
            compartment, details, **extra
        ).data
        return found
