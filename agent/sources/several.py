"""Several metric sources behind one: each answers for the policies that name it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from agent.sources.model import MetricSource, PoolReadings, Wish
from shared.engine.model import Reading


class Sources:
    """OCI Monitoring, which also knows CPU and memory, and Prometheus where the node has one.

    Args:
        monitoring: answers policies with `source: oci`.
        prometheus: answers those with `source: prometheus`; None: the node knows no server.
    """

    def __init__(self, monitoring: MetricSource, prometheus: MetricSource | None) -> None:
        self._monitoring = monitoring
        self._prometheus = prometheus

    def read(self, wishes: Sequence[Wish], now: datetime) -> Mapping[str, PoolReadings]:
        """See `MetricSource.read`."""
        found = dict(self._monitoring.read(wishes, now))
        asking = [
            wish for wish in wishes if any(p.source == "prometheus" for p in wish.pool.policies)
        ]
        if not asking:
            return found
        more = self._prometheus.read(asking, now) if self._prometheus else _unknown(asking)
        for name, readings in more.items():
            known = found.get(name, PoolReadings())
            found[name] = replace(known, policies={**known.policies, **readings.policies})
        return found


def _unknown(wishes: Sequence[Wish]) -> dict[str, PoolReadings]:
    error = Reading(error="this node knows no Prometheus: set POOLKEEPER_PROMETHEUS_URL")
    return {
        wish.pool.name: PoolReadings(
            {p.name: error for p in wish.pool.policies if p.source == "prometheus"}
        )
        for wish in wishes
    }
