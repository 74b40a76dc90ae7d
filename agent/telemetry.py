"""Metrics of the agent in Prometheus's form, read from its state whenever somebody scrapes."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.report import PoolReport
from agent.service import Agent
from agent.status import health
from agent.version import version

_STATUS = {"healthy": 0, "warning": 1, "error": 2}


class Telemetry(Collector):
    """Collects from one agent. Pools are labelled by their name in the YAML."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(namespace="poolkeeper_agent", registry=self._registry)

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Return nothing: names are known only when they are collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the moment."""
        yield from self._process()
        yield from self._central()
        yield from self._pools()
        yield from self._writes()

    def _process(self) -> Iterator[Metric]:
        agent = self._agent
        figures = agent.board.figures
        info = GaugeMetricFamily(
            "poolkeeper_agent_info", "Version and configuration.", labels=["version", "config"]
        )
        report = agent.configs.report
        info.add_metric([version(), report.running_hash or ""], 1)
        yield info
        yield _gauge("healthy", "1 while ticks are completed.", float(health(agent)[0]))
        failed = float(report.status == "failed")
        yield _gauge("config_failed", "1 when the newest configuration was refused.", failed)
        yield _gauge("config_generation", "Highest generation.", float(report.generation or 0))
        ticks = CounterMetricFamily("poolkeeper_agent_ticks", "Ticks.", labels=["result"])
        for word in ("complete", "incomplete"):
            ticks.add_metric([word], figures.ticks[word])
        yield ticks
        yield _counter("tick_seconds", "Time spent in ticks.", figures.tick_seconds)
        if agent.last_tick_at is not None:
            at = agent.last_tick_at.timestamp()
            yield _gauge("last_tick_timestamp_seconds", "When a tick was completed.", at)
        waiting = float(agent.outbox.pending())
        yield _gauge("outbox_records", "Records that wait for central.", waiting)
        yield _counter("outbox_dropped", "Records dropped for room.", agent.outbox.dropped)
        yield _counter("outbox_damaged", "Records lost to damage.", agent.outbox.corrupt)
        yield _gauge("troubles", "Sites that cannot be read.", float(len(agent.ticker.troubles)))

    def _central(self) -> Iterator[Metric]:
        central = self._agent.central
        if central is None:
            return
        beats = CounterMetricFamily("poolkeeper_agent_heartbeats", "Heartbeats.", labels=["result"])
        for word in ("accepted", "failed"):
            beats.add_metric([word], central.attempts[word])
        yield beats
        if central.answered_at is not None:
            at = central.answered_at.timestamp()
            yield _gauge("central_answered_timestamp_seconds", "Newest answer of central.", at)

    def _pools(self) -> Iterator[Metric]:
        reports = [report for report, _ in self._agent.board.pools().values()]
        for name, text in _POOL_GAUGES.items():
            gauge = GaugeMetricFamily(f"poolkeeper_pool_{name}", text, labels=["pool"])
            for report in reports:
                value = _value(report, name)
                if value is not None:
                    gauge.add_metric([report.pool.name], value)
            yield gauge

    def _writes(self) -> Iterator[Metric]:
        figures = self._agent.board.figures
        resizes = CounterMetricFamily(
            "poolkeeper_pool_resizes", "Accepted resizes.", labels=["pool", "direction"]
        )
        for (pool, direction), count in sorted(figures.resizes.items()):
            resizes.add_metric([pool, direction], count)
        yield resizes
        failures = CounterMetricFamily(
            "poolkeeper_pool_write_failures", "Refused or lost writes.", labels=["pool", "code"]
        )
        for (pool, code), count in sorted(figures.failures.items()):
            failures.add_metric([pool, code], count)
        yield failures
        deferred = CounterMetricFamily(
            "poolkeeper_agent_writes_deferred", "Writes left to a later tick.", labels=["reason"]
        )
        for reason, count in sorted(figures.deferred.items()):
            deferred.add_metric([reason], count)
        yield deferred


_POOL_GAUGES = {
    "size": "Instances that OCI is asked for.",
    "running": "Instances that run.",
    "wanted": "Instances that the decision wants.",
    "floor": "Fewest instances at the moment.",
    "ceiling": "Most instances at the moment.",
    "cpu_percent": "Mean CPU of the instances; absent when unknown.",
    "memory_percent": "Mean memory of the instances; absent when unknown.",
    "status": "0 healthy, 1 warning, 2 error.",
    "active": "1 when the pool is this agent's to resize.",
}


def _value(report: PoolReport, name: str) -> float | None:
    verdict = report.decision.verdict
    cpu, memory = report.readings.cpu, report.readings.memory
    values: dict[str, float | None] = {
        "size": report.size,
        "running": report.active,
        "wanted": verdict.desired,
        "floor": verdict.bounds.floor,
        "ceiling": verdict.bounds.ceiling,
        "cpu_percent": cpu.mean if cpu else None,
        "memory_percent": memory.mean if memory else None,
        "status": _STATUS[report.status],
        "active": float(report.pool.mode == "active"),
    }
    return values[name]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"poolkeeper_agent_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"poolkeeper_agent_{name}", text, value=value)
