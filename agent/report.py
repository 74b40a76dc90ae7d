"""What happened, as records for central: a row per pool and minute, and one for everything new."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agent.act import Applied, Failed, Outcome
from agent.node_metrics import NodeMetrics
from agent.outbox import Outbox
from agent.records import Entry, Worth
from agent.restraints import Restraint
from agent.sources.model import PoolReadings
from agent.state import PoolNotes
from shared.config.models import Pool
from shared.engine.codec import decision_to_json
from shared.engine.model import Decision
from shared.wire import Lifecycle, Message, MetricSample, MetricUnit, PoolAnalytics, PoolStatus

_ORDER: tuple[PoolStatus, ...] = ("healthy", "warning", "error")
_MAX_TEXT = 4000


@dataclass(frozen=True, slots=True)
class PoolReport:
    """One pool's tick, ready to be told."""

    pool: Pool
    size: int
    active: int
    readings: PoolReadings
    decision: Decision
    notes: PoolNotes
    config_hash: str
    restraint: Restraint | None = None

    @property
    def status(self) -> PoolStatus:
        """The pool's health: the worst of what the decision and the writes say."""
        back = self.notes.backoff
        found: list[PoolStatus] = [self.decision.verdict.status]
        if self.restraint is not None:
            found.append(self.restraint.status)
        if back.capacity_failures or back.write_failures:
            worst = max(back.capacity_failures, back.write_failures)
            found.append("error" if worst > 2 else "warning")
        return max(found, key=_ORDER.index)


class Reporter:
    """Writes records into the outbox. Timestamps are simulated time.

    Facts are written at once. What is only due every minute waits for `flush`, so that a tick of
    many pools costs one transaction.
    """

    def __init__(
        self, outbox: Outbox, watch: Callable[["PoolReport", datetime], None] | None = None
    ) -> None:
        self._outbox = outbox
        self._watch = watch
        self._lock = threading.Lock()
        self._minutes: dict[str, datetime] = {}
        self._codes: dict[str, str] = {}
        self._waiting: list[Entry] = []

    def tick(self, report: PoolReport, now: datetime) -> None:
        """Write the row of the minute, or one because the reason to hold changed."""
        if self._watch is not None:
            self._watch(report, now)
        pool_id = report.pool.instance_pool_id
        verdict = report.decision.verdict
        code = verdict.reasons[-1].code.value if verdict.reasons else ""
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            due = self._minutes.get(pool_id) != minute
            changed = self._codes.get(pool_id) != code
            self._minutes[pool_id], self._codes[pool_id] = minute, code
        if not due and not changed:
            return
        entries = self._samples(report, now) if due else []
        detail = decision_to_json(report.decision) if changed else _brief(report.decision)
        text = verdict.reasons[-1].text if verdict.reasons else None
        if report.restraint is not None:
            text = f"{report.restraint.text}; {text}"
        entries.append(_entry(_row(report, now, None, text, detail), Worth.ROUTINE, now))
        with self._lock:
            self._waiting += entries

    def flush(self) -> bool:
        """Put what has gathered into the outbox; call it once a tick.

        Returns:
            Whether every record so far is on disk.
        """
        with self._lock:
            entries, self._waiting = self._waiting, []
        return self._outbox.put(entries)

    def outcome(self, report: PoolReport, outcome: Outcome, now: datetime) -> bool:
        """Write the row of a resize or of its failure; a skipped one is no event.

        Returns:
            Whether it is on disk: then, and only then, the journal may forget the write.
        """
        detail = decision_to_json(report.decision)
        if isinstance(outcome, Applied):
            event = "SCALE_OUT" if outcome.to > outcome.before else "SCALE_IN"
            text = outcome.reason + (" (found out by reading back)" if outcome.recovered else "")
            detail |= {"before": outcome.before, "to": outcome.to, "token": outcome.token}
            row = _row(report, now, event, text, detail)
            return self._outbox.put([_entry(row, Worth.FACT, now, f"write:{outcome.token}")])
        if isinstance(outcome, Failed):
            event = "CAPACITY_ERROR" if outcome.is_capacity else "SCALE_FAILED"
            row = _row(report, now, event, str(outcome.cause), detail)
            reference = f"write:{outcome.token}:failed" if outcome.token else None
            return self._outbox.put([_entry(row, Worth.FACT, now, reference)])
        return True

    def trouble(self, report: PoolReport, event: str, reason: str, now: datetime) -> None:
        """Write the row of something that happened to a pool without a write of ours."""
        row = _row(report, now, event, reason, _brief(report.decision))
        self._outbox.put([_entry(row, Worth.FACT, now)])

    def node(self, metrics: NodeMetrics, now: datetime) -> None:
        """Write the node's own figures."""
        figures: list[tuple[str, float | None, MetricUnit]] = [
            ("node_cpu", metrics.cpu_percent, "percent"),
            ("node_memory", metrics.memory_percent, "percent"),
            ("node_disk", metrics.disk_percent, "percent"),
            ("node_load", metrics.load, "load"),
        ]
        samples = [(name, value, unit) for name, value, unit in figures if value is not None]
        self._outbox.put([_sample(None, *sample, now) for sample in samples])

    def lifecycle(
        self,
        event: str,
        reason: str,
        now: datetime,
        *,
        status: Literal["ACTIVE", "ERROR", "INACTIVE"] = "ACTIVE",
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Write an event of the node itself."""
        record = Lifecycle(
            sequence=1,
            event_type=event,
            new_status=status,
            reason=reason[:_MAX_TEXT],
            extra_data=extra,
            timestamp=now,
        )
        self._outbox.put([_entry(record, Worth.FACT, now)])

    def _samples(self, report: PoolReport, now: datetime) -> list[Entry]:
        pool_id = report.pool.instance_pool_id
        readings = report.readings
        figures: list[tuple[str, float, MetricUnit]] = [
            ("pool_instances", float(report.size), "count"),
            ("pool_running", float(report.active), "count"),
        ]
        if readings.cpu is not None:
            figures.append(("pool_cpu", readings.cpu.mean, "percent"))
        if readings.memory is not None:
            figures.append(("pool_memory", readings.memory.mean, "percent"))
        units: dict[str, MetricUnit] = {
            policy.name: policy.unit or ("percent" if policy.is_percent else "value")
            for policy in report.pool.policies
        }
        figures += [
            (f"policy_value:{vote.policy}", vote.value, units[vote.policy])
            for vote in report.decision.verdict.votes
            if vote.value is not None
        ]
        return [_sample(pool_id, *figure, now) for figure in figures]


def _sample(pool_id: str | None, name: str, value: float, unit: MetricUnit, now: datetime) -> Entry:
    record = MetricSample(
        sequence=1, oracle_pool_id=pool_id, metric_type=name, value=value, unit=unit, timestamp=now
    )
    return _entry(record, Worth.METRIC, now)


def _row(
    report: PoolReport, now: datetime, event: str | None, text: str | None, detail: dict[str, Any]
) -> PoolAnalytics:
    cpu, memory = report.readings.cpu, report.readings.memory
    detail.pop("memory", None)
    return PoolAnalytics(
        sequence=1,
        oracle_pool_id=report.pool.instance_pool_id,
        timestamp=now,
        current_instances=report.size,
        active_instances=report.active,
        avg_cpu_utilization=cpu.mean if cpu else None,
        avg_memory_utilization=memory.mean if memory else None,
        max_cpu_utilization=cpu.max if cpu else None,
        max_memory_utilization=memory.max if memory else None,
        pool_status=report.status,
        is_active=report.pool.mode == "active",
        scaling_event=event,
        scaling_reason=text[:_MAX_TEXT] if text else None,
        config_hash=report.config_hash,
        decision=detail,
    )


def _brief(decision: Decision) -> dict[str, Any]:
    verdict = decision.verdict
    return {
        "current": verdict.current,
        "desired": verdict.desired,
        "reasons": [
            {"code": reason.code.value, "text": reason.text} for reason in verdict.reasons[-1:]
        ],
        "bounds": {"floor": verdict.bounds.floor, "ceiling": verdict.bounds.ceiling},
    }


def _entry(record: Message, worth: Worth, now: datetime, reference: str | None = None) -> Entry:
    body = record.model_dump(mode="json", exclude={"sequence"}, exclude_none=True)
    return Entry(body, worth, now, reference)
