"""What goes wrong on purpose. The whole set is one value, replaced as one."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Model):
    """Something that happens to requests of one operation.

    Attributes:
        operation: its name, such as UpdateInstancePool; `*` is every signed operation.
        status: answer this error instead; None leaves the answer alone.
        code: the error code; None takes the usual one of the status.
        count: how many requests it hits; None hits all.
        probability: how likely it hits a request, drawn from the world's seeded generator.
        latency_seconds: wall time before the request is looked at.
        reply_latency_seconds: wall time between its effect and the answer.
        retry_after_seconds: the answer's Retry-After header.
        lost_request: close the connection before anything is applied.
        lost_reply: apply the request, then close the connection without an answer.
    """

    operation: str = "*"
    status: int | None = Field(default=None, ge=400, le=599)
    code: str | None = None
    message: str = "Injected fault"
    count: int | None = Field(default=None, ge=0)
    probability: float = Field(default=1, ge=0, le=1)
    latency_seconds: float = Field(default=0, ge=0)
    reply_latency_seconds: float = Field(default=0, ge=0)
    retry_after_seconds: int | None = Field(default=None, ge=0)
    lost_request: bool = False
    lost_reply: bool = False


class Shortage(_Model):
    """A pool whose hosts have no more room: an update is answered 200, its work request fails.

    `instances` is the most that the pool can have; code and message are the work request's error.
    """

    instances: int = Field(ge=0)
    code: str = "OutOfCapacity"
    message: str = "Out of host capacity."


class Faults(_Model):
    """Everything that is wrong at the moment. Pools are named by name or OCID.

    Attributes:
        rules: errors, latency and lost replies; the first rule that hits decides.
        shortages: pools without host capacity.
        stuck_pools: pools that report SCALING whatever happens.
        forbidden: operations that the caller may not use, with 404 or 403.
        refuse_writes: every update of a pool answers 404, as without INSTANCE_POOL_UPDATE.
        while_scaling: what an update of a SCALING pool gets. Oracle's pages contradict each
            other, so it is a switch (docs/verify-live.md).
        list_lag_seconds: how far lists lag behind Get, in simulated time.
        ingestion_lag_seconds: how long after its minute a point becomes visible.
        straggler_share: the share of instances whose points need `straggler_lag_seconds` more.
        silent: pools and instance OCIDs without metrics.
        nan: pools and instance OCIDs whose readings are NaN.
        poolless_dimension: what groupBy(instancePoolId) shows for instances outside any pool.
        metrics_per_second: SummarizeMetricsData requests per tenancy and second of wall time;
            None lifts the limit.
    """

    rules: tuple[Rule, ...] = ()
    shortages: dict[str, Shortage] = Field(default_factory=dict)
    stuck_pools: frozenset[str] = frozenset()
    forbidden: dict[str, Literal[403, 404]] = Field(default_factory=dict)
    refuse_writes: bool = False
    while_scaling: Literal["reject", "accept"] = "reject"
    list_lag_seconds: float = Field(default=0, ge=0)
    ingestion_lag_seconds: float = Field(default=0, ge=0)
    straggler_share: float = Field(default=0, ge=0, le=1)
    straggler_lag_seconds: float = Field(default=0, ge=0)
    silent: frozenset[str] = frozenset()
    nan: frozenset[str] = frozenset()
    poolless_dimension: Literal["missing", "empty"] = "missing"
    metrics_per_second: int | None = Field(default=10, ge=1)
