"""Metric streams: raw points with dimensions, from pools, from curves and from PostMetricData.

Namespaces, names and dimensions of the compute agent: Oracle, "Compute Instance Metrics"
(Compute/References/computemetrics.htm).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from simulator.load import DemandHistory, LoadModel
from simulator.members import Member
from simulator.pools import Pool

COMPUTE = "oci_computeagent"
MINUTE = timedelta(minutes=1)
Points = list[tuple[datetime, float]]
Reader = Callable[[datetime, datetime], Points]


@dataclass(frozen=True, slots=True)
class Stream:
    """One metric stream. `read(start, end)` gives its points with start <= time < end.

    `owners` are the names under which a fault may mean it: pool name, pool OCID, instance OCID.
    """

    namespace: str
    name: str
    compartment_id: str
    region: str
    dimensions: dict[str, str]
    read: Reader
    resource_group: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[object, ...]:
        """What makes a stream unique for PostMetricData."""
        return (
            self.namespace,
            self.resource_group,
            self.compartment_id,
            self.name,
            tuple(sorted(self.dimensions.items())),
        )


def floor_minute(at: datetime) -> datetime:
    """Return the start of the minute."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def sample_times(start: datetime, end: datetime, per_minute: int) -> Iterator[datetime]:
    """Yield the instants of samples in [start, end): evenly within each minute, mid-slot."""
    slot = MINUTE / per_minute
    minute = floor_minute(start)
    while minute < end:
        for index in range(per_minute):
            at = minute + slot * index + slot / 2
            if start <= at < end:
                yield at
        minute += MINUTE


@dataclass
class Workload:
    """What a pool has to do: its demand over time and what that does to its instances.

    Readings are computed from the recorded history of running counts, so a window of the past
    keeps the value that the count of then gave it.
    """

    model: LoadModel = field(default_factory=LoadModel)
    demand: DemandHistory = field(default_factory=DemandHistory)
    shape: str = "VM.Standard.E5.Flex"
    image_id: str = "ocid1.image.oc1..simulated"
    samples_per_minute: int = 1

    def streams(self, pool: Pool, name: str, since: datetime) -> Iterator[Stream]:
        """Yield CPU or memory of every instance that was there after `since`."""
        if name in ("CpuUtilization", "MemoryUtilization"):
            for member in pool.members:
                if member.terminating_at is None or member.terminating_at > since:
                    yield self._stream(pool, member, name)

    def _stream(self, pool: Pool, member: Member, name: str) -> Stream:
        def read(start: datetime, end: datetime) -> Points:
            start = max(start, member.created_at)
            points: Points = []
            for at in sample_times(start, end, self.samples_per_minute):
                seen = pool.seen(at)
                if seen is None or seen.running == 0 or not member.served(at):
                    continue
                cpu = self.model.cpu(self.demand.at(at), seen.running, member.id, at)
                points.append((at, cpu if name == "CpuUtilization" else self.model.memory(cpu)))
            return points

        return Stream(
            namespace=COMPUTE,
            name=name,
            compartment_id=pool.compartment_id,
            region=pool.region,
            dimensions={
                "availabilityDomain": member.domain[0],
                "faultDomain": member.domain[1],
                "imageId": self.image_id,
                "instancePoolId": pool.id,
                "region": pool.region,
                "resourceDisplayName": member.display_name,
                "resourceId": member.id,
                "shape": self.shape,
            },
            read=read,
            metadata=PERCENT,
            owners=frozenset((pool.id, pool.name, member.id)),
        )


PERCENT = {"unit": "Percent", "maxRange": "100", "minRange": "0"}


def sampled(demand: DemandHistory, since: datetime) -> Reader:
    """Return a reader that takes one point a minute from a demand, from `since` on."""

    def read(start: datetime, end: datetime) -> Points:
        return [(at, demand.at(at)) for at in sample_times(max(start, since), end, 1)]

    return read


def stored(points: Points) -> Reader:
    """Return a reader of recorded points, which are in the order of time."""

    def read(start: datetime, end: datetime) -> Points:
        return [point for point in points if start <= point[0] < end]

    return read
