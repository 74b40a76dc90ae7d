"""What operators' commands and central say to each other, beside the heartbeat in `wire`.

Instants are aware UTC, unknown numbers are null. A configuration travels as its exact bytes
(`application/yaml`), because its hash is over exactly those.
"""

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.wire import Message

Role = Literal["USER", "DEVOPS", "ADMIN"]
NodeStatus = Literal["ACTIVE", "INACTIVE", "ERROR", "OFFLINE"]
NODE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"


class Login(Message):
    """POST /v1/login."""

    email: str = Field(min_length=3, max_length=255)
    password: str = Field(min_length=1, max_length=1000)


class Session(Message):
    """An operator's session; `token` is told once."""

    token: str
    expires_at: AwareDatetime
    email: str
    role: Role


class Who(Message):
    """GET /v1/whoami."""

    email: str
    full_name: str
    role: Role


class NewNode(Message):
    """POST /v1/nodes."""

    name: str = Field(pattern=NODE_NAME)
    region: str = Field(min_length=1, max_length=100, pattern=r"^[a-z0-9-]+$")
    description: str | None = Field(None, max_length=2000)


class CreatedNode(Message):
    """A node that was just made; `api_key` is told once."""

    id: int
    name: str
    region: str
    api_key: str


class RotatedKey(Message):
    """A node's new key, told once; the key before it works until `previous_expires_at`."""

    node: str
    api_key: str
    previous_expires_at: AwareDatetime | None


class KeyView(Message):
    """One of a node's keys, without its text, which central does not have."""

    id: int
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    candidate: bool = Field(
        default=False, description="Handed to the agent, and not seen in use yet."
    )


class NodeView(Message):
    """A node: who it is, whether it lives, which configuration it has and runs."""

    id: int
    name: str
    region: str
    description: str | None
    status: NodeStatus
    ip_address: str | None
    last_heartbeat: AwareDatetime | None
    created_at: AwareDatetime | None
    agent_version: str | None
    assigned_interval: float | None
    active_hash: str | None
    active_generation: int | None
    running_hash: str | None
    received_hash: str | None
    failed_hash: str | None
    apply_status: str | None
    apply_error: str | None
    last_tick_at: AwareDatetime | None
    pools: int
    maintenance: bool | None = None
    reported_generation: int | None = None
    duplicate_since: AwareDatetime | None = Field(
        None, description="Two live agents use this node's key."
    )
    rotate_key_since: AwareDatetime | None = Field(
        None, description="Its agent is to renew its key, and has not used the new one yet."
    )


class ConfigVersion(Message):
    """One version of a node's configuration, without its text."""

    generation: int
    config_hash: str
    is_active: bool
    created_at: AwareDatetime | None
    created_by: str | None
    rollback_of: int | None
    size: int


class Pushed(Message):
    """What a push or a rollback did."""

    node: str
    config_hash: str
    generation: int
    changed: bool = Field(description="False: the same text was active already.")
    pools: list[str]
    retired: list[str] = Field(default_factory=list, description="Pools that left the YAML.")


class PoolView(Message):
    """A pool and its newest known size."""

    id: int
    node: str
    name: str
    oracle_pool_id: str
    region: str
    mode: str
    min_instances: int | None
    max_instances: int | None
    current_instances: int | None
    status: str | None
    retired_at: AwareDatetime | None
    last_analytics_at: AwareDatetime | None
    created_at: AwareDatetime | None


class AnalyticsRow(Message):
    """One row of pool_analytics; unknown utilisation is null."""

    id: int
    timestamp: AwareDatetime
    received_at: AwareDatetime
    oracle_pool_id: str
    current_instances: int
    active_instances: int
    avg_cpu_utilization: float | None
    avg_memory_utilization: float | None
    max_cpu_utilization: float | None
    max_memory_utilization: float | None
    pool_status: str | None
    is_active: bool | None
    scaling_event: str | None
    scaling_reason: str | None
    config_hash: str | None
    decision: dict[str, Any] | None


class LifecycleRow(Message):
    """One row of node_lifecycle_logs."""

    id: int
    node: str
    event_type: str
    previous_status: str | None
    new_status: str
    reason: str | None
    triggered_by: str | None
    extra_data: dict[str, Any] | None
    timestamp: AwareDatetime
