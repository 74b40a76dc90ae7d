"""History as operators read it: charts, metrics, schedules, the fleet over time, retention.

Instants are aware UTC, unknown numbers are null.
"""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, Field

from shared.wire import Message

Kind = Literal[
    "node_heartbeats",
    "metrics",
    "pool_analytics",
    "metrics_5m",
    "pool_analytics_5m",
    "metrics_1h",
    "pool_analytics_1h",
    "scaling_events",
    "node_lifecycle_logs",
    "system_analytics",
]


class PoolPoint(Message):
    """A pool in one step of a chart; `timestamp` is the step's start.

    `samples` counts the rows, `cpu_count` and `memory_count` those whose utilisation was known.
    """

    timestamp: AwareDatetime
    samples: int
    current_min: int
    current_max: int
    current_avg: float
    current_last: int
    active_min: int
    active_max: int
    active_avg: float
    active_last: int
    cpu_count: int
    cpu_min: float | None
    cpu_max: float | None
    cpu_avg: float | None
    cpu_last: float | None
    cpu_peak: float | None = Field(description="The busiest single instance, where it is known.")
    memory_count: int
    memory_min: float | None
    memory_max: float | None
    memory_avg: float | None
    memory_last: float | None
    memory_peak: float | None


class MetricPoint(Message):
    """A metric in one step of a chart; `timestamp` is the step's start."""

    timestamp: AwareDatetime
    unit: str
    samples: int
    value_count: int
    value_min: float | None
    value_max: float | None
    value_avg: float | None
    value_last: float | None


class MetricRow(Message):
    """One row of metrics; without a pool it is the node's own."""

    id: int
    node: str
    pool: str | None
    metric_type: str
    value: float | None
    unit: str
    timestamp: AwareDatetime
    received_at: AwareDatetime


class ScheduleRow(Message):
    """A schedule of a node's active configuration."""

    id: int
    node: str
    name: str
    start_time: str
    end_time: str
    target_instances: int
    is_active: bool | None
    timezone: str
    days: list[str]
    mode: str
    pools: list[str] | None
    ready_early: int
    valid_from: date | None
    valid_until: date | None
    exceptions: list[date]
    created_at: AwareDatetime | None


class SystemRow(Message):
    """The fleet at a moment; unknown utilisation is null."""

    id: int
    timestamp: AwareDatetime
    total_active_pools: int | None
    total_current_instances: int | None
    total_active_instances: int | None
    avg_system_cpu: float | None
    avg_system_memory: float | None
    max_system_cpu: float | None
    max_system_memory: float | None
    peak_instances_24h: int | None
    max_active_pools_24h: int | None
    active_nodes: int | None


class ConditionRow(Message):
    """Something that is wrong now, since `since`."""

    id: int
    kind: str
    subject: str
    node: str | None
    text: str
    since: AwareDatetime
    last_seen_at: AwareDatetime
    told_at: AwareDatetime | None


class KeptFor(Message):
    """For how many days a kind of history is kept."""

    kind: Kind
    days: int = Field(ge=8, le=36_500)
