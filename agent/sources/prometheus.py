"""Prometheus as a metric source: PromQL evaluated at the end of every metric window.

The instant of an evaluated point is the END of its window, as with OCI Monitoring, so lag,
staleness and gaps mean the same: a window younger than `metric_lag` is not trusted yet, a step
without a point is an absence. Prometheus itself carries a sample on for up to five minutes after
its last scrape (its `query.lookback-delta`), so a dead exporter is noticed that much later.
API: Prometheus, "HTTP API", /api/v1/query_range.
"""

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from agent.clock import Monotonic
from agent.hard_limit import HardLimit, OutOfTimeError
from agent.sources.model import PoolReadings, Wish
from agent.sources.selector import floor_to, history_of
from agent.sources.windows import WHOLE, History
from agent.throttle import Breaker
from shared.config.models import Policy, Pool
from shared.engine.model import Reading

LABELS = ("instance_pool_id", "instancePoolId")
_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_TOTAL_SECONDS = 15.0
_MOST_HANGING = 8
_MOST_BYTES = 8 * 1024 * 1024
_LATENESS_WINDOWS = 3
_MOST_POINTS = 10_000  # Prometheus refuses more than 11,000 in one series
_STATISTIC = ("mean", False)


class PrometheusError(Exception):
    """A query that was not answered; the sentence says why and never holds the token."""


@dataclass
class _Track:
    """What has been read of one query so far."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keep: timedelta = timedelta(0)
    lag: timedelta = timedelta(0)
    read_until: datetime | None = None
    error: str | None = None
    ambiguous: dict[str, str] = field(default_factory=dict)
    histories: dict[str, History] = field(default_factory=dict)


class Prometheus:
    """Reads the policies with `source: prometheus`; the others are not its affair.

    Args:
        http: makes the requests.
        url: of the server, such as https://prometheus.internal.
        token: sent as bearer token, or None.
        monotonic: for the pause after repeated failures.
        is_stopping: a request that is under way then is given up.
    """

    def __init__(
        self,
        http: httpx.Client,
        url: str,
        token: str | None,
        monotonic: Monotonic,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/api/v1/query_range"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._breaker = Breaker(monotonic)
        self._is_stopping = is_stopping
        self._limit = HardLimit("prometheus", _MOST_HANGING)
        self._tracks: dict[tuple[str, timedelta], _Track] = {}
        self._lock = threading.Lock()

    def read(self, wishes: Sequence[Wish], now: datetime) -> Mapping[str, PoolReadings]:
        """See `MetricSource.read`."""
        return {wish.pool.name: PoolReadings(self._policies(wish.pool, now)) for wish in wishes}

    def probe(self, now: datetime) -> None:
        """Ask the simplest question there is; raises PrometheusError when it is not answered."""
        self._ask("vector(1)", now, now, timedelta(minutes=1))

    def _policies(self, pool: Pool, now: datetime) -> dict[str, Reading]:
        readings = {}
        for policy in pool.policies:
            if policy.source != "prometheus" or policy.query is None:
                continue
            track = self._track(policy.query, policy.interval)
            with track.lock:
                keep = history_of(pool, policy)
                self._refresh(track, policy, keep + pool.metric_lag, pool.metric_lag, now)
                readings[policy.name] = _reading(track, pool, keep, now)
        return readings

    def _track(self, query: str, interval: timedelta) -> _Track:
        with self._lock:
            return self._tracks.setdefault((query, interval), _Track())

    def _refresh(
        self, track: _Track, policy: Policy, keep: timedelta, lag: timedelta, now: datetime
    ) -> None:
        """Read the windows that closed since the last time, and the newest ones once more."""
        if keep > track.keep:
            track.keep, track.read_until = keep, None
        track.lag = max(track.lag, lag)
        interval = policy.interval
        closed = floor_to(now, interval)
        if track.read_until == closed:
            return
        revisit = track.lag + _LATENESS_WINDOWS * interval
        start = closed - min(track.keep, _MOST_POINTS * interval)
        if track.read_until is not None:
            start = max(start, min(track.read_until, closed) - revisit)
        try:
            series = self._ask(policy.query or "", start, closed, interval)
        except PrometheusError as error:
            track.error = str(error)
            return
        track.error = None
        track.read_until = closed
        track.ambiguous = _ambiguous(series)
        for one in series:
            pool_id = _pool_of(one["metric"])
            history = track.histories.setdefault(pool_id, History())
            for at, value in one["values"]:
                history.put(datetime.fromtimestamp(at, UTC), WHOLE, _number(value))
        for history in track.histories.values():
            history.forget(now, track.keep + revisit, {_STATISTIC})

    def _ask(
        self, query: str, start: datetime, end: datetime, step: timedelta
    ) -> list[dict[str, Any]]:
        pause = self._breaker.remaining()
        if pause:
            raise PrometheusError(f"Prometheus keeps failing; again in {pause:.0f} s")
        form = {
            "query": query,
            "start": f"{start.timestamp():.0f}",
            "end": f"{end.timestamp():.0f}",
            "step": f"{step.total_seconds():.0f}",
        }
        post = partial(
            self._http.post, self._url, data=form, headers=self._headers, timeout=_TIMEOUT
        )
        try:
            answer = self._limit.run(post, _TOTAL_SECONDS, self._is_stopping)
        except (httpx.HTTPError, OutOfTimeError) as error:
            self._breaker.failed()
            why = error if isinstance(error, OutOfTimeError) else type(error).__name__
            raise PrometheusError(f"Prometheus does not answer: {why}") from error
        if answer.status_code >= 500:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        return _matrix(answer)


def _matrix(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the series of an answer; raises PrometheusError when it is none."""
    if len(answer.content) > _MOST_BYTES:
        raise PrometheusError("Prometheus answers more than 8 MiB: narrow the query")
    try:
        body = json.loads(answer.content)
        if answer.status_code != 200 or body["status"] != "success":
            text = str(body.get("error", ""))[:300]
            raise PrometheusError(f"Prometheus answers {answer.status_code}: {text}")
        if body["data"]["resultType"] != "matrix":
            raise PrometheusError("the query does not give numbers over time")
        return [
            {
                "metric": dict(one["metric"]),
                "values": [(float(at), str(value)) for at, value in one["values"]],
            }
            for one in body["data"]["result"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PrometheusError(
            f"Prometheus answers {answer.status_code} with something that is no result"
        ) from error


def _reading(track: _Track, pool: Pool, keep: timedelta, now: datetime) -> Reading:
    pool_id = pool.instance_pool_id
    unclear = track.ambiguous.get(pool_id) or track.ambiguous.get(WHOLE)
    history = track.histories.get(pool_id) or track.histories.get(WHOLE)
    reading = Reading()
    if history is not None:
        reading = history.reading(_STATISTIC, now - pool.metric_lag, keep)
    old = reading.at is None or now - reading.at > pool.stale_after
    error = unclear or (track.error if old else None)
    return Reading(error=error) if error else reading


def _pool_of(labels: Mapping[str, str]) -> str:
    return next((labels[label] for label in LABELS if labels.get(label)), WHOLE)


def _ambiguous(series: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Say, by pool, why an answer does not tell which value is meant."""
    by_pool: dict[str, list[Mapping[str, str]]] = {}
    for one in series:
        by_pool.setdefault(_pool_of(one["metric"]), []).append(one["metric"])
    problems = {}
    for pool_id, several in by_pool.items():
        if len(several) > 1:
            names = ", ".join(sorted({name for labels in several for name in labels} - set(LABELS)))
            problems[pool_id] = (
                f"ambiguous: the query answers {len(several)} series that differ in {names};"
                f" aggregate them, as with sum by ({LABELS[0]}) (…)"
            )
    return problems


def _number(text: str) -> object:
    """Prometheus writes numbers as text; what is no number is refused later, and counted."""
    try:
        return float(text)
    except ValueError:
        return math.nan
