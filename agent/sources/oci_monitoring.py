"""OCI Monitoring as a metric source: one query for all pools, each closed window read once.

Oracle, "Monitoring Overview" and "SummarizeMetricsData": a point is stamped with the END of its
window, samples arrive minutes late, an answer holds at most 100,000 points of 2,000 streams.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import parse_instant
from agent.errors import CallError
from agent.oci_calls import MONITORING, Call, Caller
from agent.sources.model import PoolReadings, Usage, Wish
from agent.sources.selector import INSTANCE, POOL, Selector, history_of, selector_of, usage_of
from agent.sources.windows import WHOLE, History, Statistic
from shared.config.models import Policy, Pool
from shared.engine.model import Reading

_MEAN: Statistic = ("mean", True)
_LATENESS_WINDOWS = 3
_POINTS_PER_ANSWER = 80_000
_STREAMS_PER_ANSWER = 1_500


@dataclass
class _Need:
    """What all pools and policies together want of one selector."""

    keep: timedelta = timedelta(0)
    lag: timedelta = timedelta(0)
    statistics: set[Statistic] = field(default_factory=set)
    wishes: dict[str, Wish] = field(default_factory=dict)

    def add(self, wish: Wish, keep: timedelta, statistic: Statistic) -> None:
        self.keep = max(self.keep, keep + wish.pool.metric_lag)
        self.lag = max(self.lag, wish.pool.metric_lag)
        self.statistics.add(statistic)
        self.wishes[wish.pool.instance_pool_id] = wish

    @property
    def streams(self) -> int:
        return max(1, sum(wish.size for wish in self.wishes.values()))


@dataclass
class _Track:
    """What has been read of one selector so far. `histories[WHOLE]` belongs to no single pool."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keep: timedelta = timedelta(0)
    statistics: set[Statistic] = field(default_factory=set)
    read_until: datetime | None = None
    chunked: bool = False
    error: str | None = None
    ambiguous: dict[str, str] = field(default_factory=dict)
    histories: dict[str, History] = field(default_factory=dict)


class OciMonitoring:
    """Reads metrics with SummarizeMetricsData and keeps as much history as policies look at.

    Args:
        client: makes the calls.
        delay: how long a closed window waits before it is read, for other nodes read too.
    """

    def __init__(
        self, client: Caller, delay: Callable[[], timedelta] = lambda: timedelta(0)
    ) -> None:
        self._client = client
        self._delay = delay
        self._tracks: dict[Selector, _Track] = {}
        self._lock = threading.Lock()

    def read(self, wishes: Sequence[Wish], now: datetime) -> Mapping[str, PoolReadings]:
        """See `MetricSource.read`."""
        needs: dict[Selector, _Need] = {}
        for wish in wishes:
            for selector, keep, statistic in _wanted(wish.pool):
                needs.setdefault(selector, _Need()).add(wish, keep, statistic)
        for selector, need in needs.items():
            track = self._track(selector)
            with track.lock:
                self._refresh(selector, need, track, now)
        return {wish.pool.name: self._readings(wish.pool, now) for wish in wishes}

    def forget(self, pools: Iterable[Pool]) -> None:
        """Drop everything that these pools, all that are left, do not read."""
        wanted = {selector for pool in pools for selector, _, _ in _wanted(pool)}
        with self._lock:
            for selector in self._tracks.keys() - wanted:
                del self._tracks[selector]

    def probe(self, pool: Pool, now: datetime) -> int:
        """Return how many streams of CPU there are; raises CallError when it may not be read."""
        selector = usage_of(pool, "CpuUtilization")
        closed = selector.floor(now)
        return len(self._ask(selector, (), (closed - pool.stale_after, closed)))

    def _track(self, selector: Selector) -> _Track:
        with self._lock:
            return self._tracks.setdefault(selector, _Track())

    def _refresh(self, selector: Selector, need: _Need, track: _Track, now: datetime) -> None:
        if need.keep > track.keep or not need.statistics <= track.statistics:
            track.keep = max(track.keep, need.keep)
            track.statistics |= need.statistics
            track.read_until = None
        closed = selector.floor(now - self._delay())
        if track.read_until == closed:
            return
        revisit = need.lag + _LATENESS_WINDOWS * selector.interval
        start = closed - track.keep
        if track.read_until is not None:
            start = max(start, min(track.read_until, closed) - revisit)
        try:
            for chunk in self._chunks(track, need):
                for since, until in _spans(selector, start, closed, need.streams):
                    self._fetch(selector, track, chunk, (since, until))
        except CallError as error:
            too_many = error.cause.status == 400 and "stream" in error.cause.message.lower()
            if too_many and not track.chunked and selector.query is None:
                track.chunked = True
                self._refresh(selector, need, track, now)
            else:
                track.error = str(error)
            return
        track.error = None
        track.read_until = closed
        for history in track.histories.values():
            history.forget(now, track.keep + revisit, track.statistics)

    def _chunks(self, track: _Track, need: _Need) -> list[tuple[str, ...]]:
        if not track.chunked:
            return [()]
        chunks: list[list[str]] = [[]]
        room = _STREAMS_PER_ANSWER
        for pool_id, wish in need.wishes.items():
            if wish.size > room and chunks[-1]:
                chunks.append([])
                room = _STREAMS_PER_ANSWER
            chunks[-1].append(pool_id)
            room -= wish.size
        return [tuple(chunk) for chunk in chunks]

    def _fetch(
        self,
        selector: Selector,
        track: _Track,
        pool_ids: Sequence[str],
        span: tuple[datetime, datetime],
    ) -> None:
        streams = self._ask(selector, pool_ids, span)
        track.ambiguous = _ambiguous(selector, streams)
        for stream in streams:
            dimensions = stream.get("dimensions") or {}
            pool_id = dimensions.get(POOL) or WHOLE
            if pool_id in track.ambiguous or (pool_id == WHOLE and selector.separates_pools):
                continue
            instance = (dimensions.get(INSTANCE) or WHOLE) if selector.query is None else WHOLE
            history = track.histories.setdefault(pool_id, History())
            for point in stream.get("aggregatedDatapoints") or ():
                at = parse_instant(point["timestamp"])
                if at <= span[1]:
                    history.put(at, instance, point.get("value"))

    def _ask(
        self, selector: Selector, pool_ids: Sequence[str], span: tuple[datetime, datetime]
    ) -> list[dict[str, Any]]:
        body: dict[str, Any] = {
            "namespace": selector.namespace,
            "query": selector.text(pool_ids),
            "startTime": _write(span[0]),
            "endTime": _write(span[1] + selector.interval),
            "resolution": selector.resolution,
        }
        if selector.resource_group is not None:
            body["resourceGroup"] = selector.resource_group
        answer = self._client.call(
            Call(
                MONITORING,
                selector.region,
                "SummarizeMetricsData",
                "POST",
                "/metrics/actions/summarizeMetricsData",
                query={"compartmentId": selector.compartment_id},
                body=body,
            )
        )
        return answer.data if isinstance(answer.data, list) else []

    def _readings(self, pool: Pool, now: datetime) -> PoolReadings:
        return PoolReadings(
            policies={policy.name: self._reading(pool, policy, now) for policy in _own(pool)},
            cpu=self._usage(pool, "CpuUtilization", now),
            memory=self._usage(pool, "MemoryUtilization", now),
        )

    def _reading(self, pool: Pool, policy: Policy, now: datetime) -> Reading:
        track = self._track(selector_of(pool, policy))
        with track.lock:
            unclear = track.ambiguous.get(pool.instance_pool_id) or track.ambiguous.get(WHOLE)
            history = track.histories.get(pool.instance_pool_id) or track.histories.get(WHOLE)
            reading = Reading()
            if history is not None:
                keep = history_of(pool, policy)
                reading = history.reading(_statistic(policy), now - pool.metric_lag, keep)
            old = reading.at is None or now - reading.at > pool.stale_after
            error = unclear or (track.error if old else None)
        return Reading(error=error) if error else reading

    def _usage(self, pool: Pool, metric: str, now: datetime) -> Usage | None:
        track = self._track(usage_of(pool, metric))
        with track.lock:
            history = track.histories.get(pool.instance_pool_id)
            at = history.newest(now - pool.metric_lag) if history else None
            if history is None or at is None or now - at > pool.stale_after:
                return None
            window = history.window(at)
            mean, samples = window.point(_MEAN)
            most, _ = window.point(("max", True))
        if samples is None or not isinstance(mean, float) or not isinstance(most, float):
            return None
        return Usage(mean, most, at)


def _wanted(pool: Pool) -> Iterator[tuple[Selector, timedelta, Statistic]]:
    for metric in ("CpuUtilization", "MemoryUtilization"):
        yield usage_of(pool, metric), pool.stale_after, _MEAN
    for policy in _own(pool):
        yield selector_of(pool, policy), history_of(pool, policy), _statistic(policy)


def _own(pool: Pool) -> list[Policy]:
    return [policy for policy in pool.policies if policy.source == "oci"]


def _statistic(policy: Policy) -> Statistic:
    return (policy.statistic or "mean", policy.is_percent)


def _spans(
    selector: Selector, start: datetime, closed: datetime, streams: int
) -> Iterator[tuple[datetime, datetime]]:
    """Cut a long history so that no answer goes over Monitoring's limit of points."""
    step = max(5, _POINTS_PER_ANSWER // streams) * selector.interval
    while start <= closed:
        until = min(start + step, closed)
        yield start, until
        start = until + selector.interval


def _ambiguous(selector: Selector, streams: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Say, by pool, why an answer does not tell which value is meant."""
    if selector.query is None:
        return {}
    by_pool: dict[str, list[Mapping[str, str]]] = {}
    for stream in streams:
        dimensions = stream.get("dimensions") or {}
        by_pool.setdefault(dimensions.get(POOL) or WHOLE, []).append(dimensions)
    problems: dict[str, str] = {}
    for pool_id, several in by_pool.items():
        if len(several) > 1 and not (pool_id == WHOLE and selector.separates_pools):
            differing = sorted({name for dims in several for name in dims} - {POOL})
            names = ", ".join(differing) or "no dimension at all"
            problems[pool_id] = (
                f"ambiguous: the query answers {len(several)} streams that differ in {names};"
                f" group them away with .grouping() or .groupBy({POOL})"
            )
    return problems


def _write(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
