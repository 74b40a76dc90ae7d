"""The protocol between agent and central: heartbeat, answer, records. Unknown fields are ignored.

A heartbeat is `POST /v1/heartbeat` with `Authorization: Bearer pk_node_…` and a JSON body
(`Heartbeat`); the answer is `HeartbeatAnswer`. Instants are aware UTC. Unknown numbers are null,
never zero and never NaN.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

PROTOCOL = 1
MAX_BATCH_RECORDS = 500
MAX_BATCH_BYTES = 1024 * 1024

MetricType = Literal[
    "node_cpu",
    "node_memory",
    "node_disk",
    "node_load",
    "pool_instances",
    "pool_running",
    "pool_cpu",
    "pool_memory",
    "policy_value",
]
MetricUnit = Literal["percent", "count", "load", "bytes", "seconds", "value"]
PoolStatus = Literal["healthy", "warning", "error"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Message(BaseModel):
    """Everything on the wire: values, tolerant of fields from a newer peer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PoolAnalytics(Message):
    """One row of pool_analytics: what a pool was, and what was decided and why.

    `current_instances` is OCI's `size`, `active_instances` the running count.
    """

    kind: Literal["pool_analytics"] = "pool_analytics"
    sequence: int = Field(ge=1)
    oracle_pool_id: str = Field(max_length=255)
    timestamp: AwareDatetime
    current_instances: int = Field(ge=0, le=1_000_000)
    active_instances: int = Field(ge=0, le=1_000_000)
    avg_cpu_utilization: Finite | None = None
    avg_memory_utilization: Finite | None = None
    max_cpu_utilization: Finite | None = None
    max_memory_utilization: Finite | None = None
    pool_status: PoolStatus = "healthy"
    is_active: bool = True
    scaling_event: str | None = Field(None, max_length=100)
    scaling_reason: str | None = Field(None, max_length=4000)
    config_hash: str | None = Field(None, max_length=64)
    decision: dict[str, Any] | None = None


class MetricSample(Message):
    """One row of metrics. Without `oracle_pool_id` it is the node's own."""

    kind: Literal["metric"] = "metric"
    sequence: int = Field(ge=1)
    oracle_pool_id: str | None = Field(None, max_length=255)
    metric_type: str = Field(max_length=100, description="A MetricType, or policy_value:NAME.")
    value: Finite
    unit: MetricUnit
    timestamp: AwareDatetime


class Lifecycle(Message):
    """One row of node_lifecycle_logs that the agent itself has seen."""

    kind: Literal["lifecycle"] = "lifecycle"
    sequence: int = Field(ge=1)
    event_type: str = Field(max_length=50, pattern=r"^[A-Z][A-Z0-9_]*$")
    previous_status: str | None = Field(None, max_length=50)
    new_status: str = Field(max_length=50)
    reason: str | None = Field(None, max_length=4000)
    triggered_by: Literal["heartbeat", "manual", "system"] = "system"
    extra_data: dict[str, Any] | None = None
    timestamp: AwareDatetime


Record = Annotated[PoolAnalytics | MetricSample | Lifecycle, Field(discriminator="kind")]


class ConfigReport(Message):
    """What the agent runs and what became of the last configuration it received."""

    running_hash: str | None = Field(None, max_length=64)
    received_hash: str | None = Field(None, max_length=64)
    status: Literal["none", "applying", "applied", "failed"] = "none"
    failed_hash: str | None = Field(None, max_length=64)
    error: str | None = Field(None, max_length=1024)
    generation: int = Field(0, ge=0, description="Highest configuration generation ever applied.")


class Heartbeat(Message):
    """Presence now, and the next batch of history.

    `stream_id` names the outbox file, `boot_id` the process; `sequence` counts heartbeats of the
    boot. `records` carry their own sequence within the stream, ascending.
    """

    protocol: int = PROTOCOL
    agent_version: str = Field(max_length=50)
    capabilities: list[str] = Field(default_factory=list, max_length=100)
    stream_id: str = Field(min_length=8, max_length=64)
    boot_id: str = Field(min_length=8, max_length=64)
    sequence: int = Field(ge=1)
    sent_at: AwareDatetime
    status: Literal["ok", "error"] = "ok"
    error_message: str | None = Field(None, max_length=1024)
    last_tick_at: AwareDatetime | None = None
    goodbye: bool = False
    tzdata_version: str | None = Field(None, max_length=20)
    tenancy: str | None = Field(
        None, max_length=255, description="Of OCI; its limits are shared by all of its nodes."
    )
    config: ConfigReport = Field(default_factory=ConfigReport)
    running_config: str | None = Field(
        None,
        max_length=MAX_BATCH_BYTES,
        repr=False,
        description="The text behind `config.running_hash`; only when central asked for it.",
    )
    node_metrics: dict[str, Finite | None] = Field(default_factory=dict, max_length=50)
    records: list[dict[str, Any]] = Field(
        default_factory=list,
        max_length=MAX_BATCH_RECORDS,
        description="Each a Record; validated one by one, so that a bad one is refused alone.",
    )


class Rejected(Message):
    """A record that central refused: the agent counts it and does not send it again."""

    sequence: int
    code: str = Field(description="unknown_pool, invalid, poison …")
    reason: str


class Acknowledged(Message):
    """Every record of the stream up to `sequence` is stored or refused for good."""

    stream_id: str
    sequence: int


class MetricsBudget(Message):
    """A node's share of the tenancy's 10 metric requests per second."""

    requests_per_second: float = Field(gt=0)
    phase_seconds: float = Field(0, ge=0, description="Offset of this node's reads in a poll.")


class HeartbeatAnswer(Message):
    """What central says back, after its commit.

    `config_hash` is the active configuration's hash (None: there is none); `yaml_config` is sent
    only when the agent's hash differs and it has not reported this one as failed.
    """

    config_hash: str | None = None
    generation: int | None = None
    yaml_config: str | None = None
    rollback: bool = Field(default=False, description="A lower generation is meant by an operator.")
    next_heartbeat_seconds: float = Field(30, gt=0, le=3600)
    reconnect_window_seconds: float = Field(10, gt=0, le=3600)
    metrics_budget: MetricsBudget | None = None
    ack: Acknowledged
    rejected: list[Rejected] = Field(default_factory=list)
    drain: Literal["go", "pause"] = "go"
    wants_config: bool = Field(
        default=False, description="Send the running configuration with the next heartbeat."
    )
    observe_pools: list[str] = Field(
        default_factory=list, description="OCIDs that this node must no longer resize."
    )
    duplicate: bool = Field(
        default=False, description="Another live agent uses this node's key; one of them observes."
    )
    next_api_key: str | None = Field(
        None,
        max_length=200,
        repr=False,
        description="A successor of the node's key; the old one works until this one was used.",
    )
    server_time: datetime


class Problem(Message):
    """The body of every refused request."""

    error: str = Field(description="One clear sentence.")
    code: str
    details: list[dict[str, Any]] = Field(default_factory=list)
