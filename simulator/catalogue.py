"""All metric streams of the tenancy, and which of their points have arrived."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from simulator.faults import Faults
from simulator.load import noise
from simulator.pools import Pool
from simulator.streams import COMPUTE, MINUTE, Points, Stream, Workload, floor_minute, stored


@dataclass
class Catalogue:
    """Streams of pools, streams that follow a curve, and posted ones."""

    workloads: dict[str, tuple[Pool, Workload]] = field(default_factory=dict)
    streams: list[Stream] = field(default_factory=list)
    _posted: dict[tuple[object, ...], Points] = field(default_factory=dict)

    def find(
        self, namespace: str, name: str, group: str | None, since: datetime
    ) -> Iterator[Stream]:
        """Yield the streams of a metric that may have points after `since`."""
        if namespace == COMPUTE and group is None:
            for pool, workload in self.workloads.values():
                yield from workload.streams(pool, name, since)
        for stream in self.streams:
            if (stream.namespace, stream.name, stream.resource_group) == (namespace, name, group):
                yield stream

    def post(self, stream: Stream, points: Points) -> None:
        """Add points to a posted stream, which comes into being with its first ones."""
        if stream.key not in self._posted:
            kept: Points = []
            self._posted[stream.key] = kept
            self.streams.append(replace(stream, read=stored(kept)))
        kept = self._posted[stream.key]
        kept.extend(points)
        kept.sort()


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Reads what has arrived by `now`, as the faults have it.

    The agents send once a minute (Oracle, "Compute Instance Metrics"), so a point is visible
    after the end of its minute plus the ingestion lag.
    """

    now: datetime
    faults: Faults
    seed: int

    def read(self, stream: Stream, start: datetime, end: datetime) -> Points:
        """Return the visible points with start <= time < end."""
        if stream.owners & self.faults.silent:
            return []
        arrived = self.now - timedelta(seconds=self._lag(stream))
        points = [
            (at, value)
            for at, value in stream.read(start, min(end, arrived))
            if floor_minute(at) + MINUTE <= arrived
        ]
        if stream.owners & self.faults.nan:
            return [(at, float("nan")) for at, _ in points]
        return points

    def _lag(self, stream: Stream) -> float:
        owner = stream.dimensions.get("resourceId", str(stream.key))
        draw = (noise(self.seed, "straggler", owner) + 1) / 2
        late = draw < self.faults.straggler_share
        return self.faults.ingestion_lag_seconds + late * self.faults.straggler_lag_seconds
