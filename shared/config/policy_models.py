"""The policies of a pool as operators write them. Their arithmetic is in `shared.engine.policies`."""

from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared import mql
from shared.config.units import Duration, InstanceAmount, Number, Percentage

COMPUTE_AGENT = "oci_computeagent"
PERCENT_METRICS = frozenset({"CpuUtilization", "MemoryUtilization"})


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Tolerance(Section):
    """How far the metric may stray from its target before the size changes, per direction."""

    out: Percentage = Field(Fraction(1, 10), description="Above the target, edge included.")
    in_: Percentage = Field(
        Fraction(1, 10), alias="in", description="Below the target, edge included."
    )


class Demand(Section):
    """Size for a percentile of recent demand instead of its newest value."""

    percentile: int = Field(ge=1, le=100, description="Nearest-rank percentile, 1 to 100.")
    window: Duration = Field(description="How far back demand is looked at.")

    @model_validator(mode="after")
    def _window_is_useful(self) -> Self:
        if not timedelta(minutes=2) <= self.window <= timedelta(hours=24):
            raise ValueError("demand.window must be between 2m and 24h")
        return self


class MetricPolicy(Section):
    """What every policy that reads a metric has in common."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="Unique in the pool."
    )
    metric: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_.$-]{0,254}$",
        description="Metric name, read per instance; give this or `query`.",
    )
    query: str | None = Field(
        None, min_length=3, max_length=4096, description="Any MQL query, sent as it is."
    )
    statistic: str | None = Field(
        None,
        pattern=r"^(mean|max|min|p([1-9]|[1-9]\d))$",
        description="How the instances' values become one: mean (default), max, min, p1 … p99.",
    )
    namespace: str = Field(
        COMPUTE_AGENT, pattern=r"^[a-z][a-z0-9_]{0,254}$", description="Metric namespace."
    )
    resource_group: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]{1,254}$", description="Metric resource group."
    )
    metric_compartment_id: str | None = Field(
        None,
        pattern=r"^ocid1\.(compartment|tenancy)\.",
        description="Where the metric lives; default: the pool's compartment.",
    )
    interval: Duration = Field(timedelta(minutes=1), description="Length of one metric window.")
    unit: Literal["percent", "count", "bytes", "seconds"] | None = Field(
        None, description="What the values mean; `percent` bounds them to 0–100."
    )

    @property
    def is_percent(self) -> bool:
        """Whether values are percentages: 100–110 reads as 100, more is rejected."""
        if self.unit is not None:
            return self.unit == "percent"
        return self.namespace == COMPUTE_AGENT and self.metric in PERCENT_METRICS

    @property
    def effective_interval(self) -> timedelta:
        """The window length in force: a query carries its own."""
        if self.query is None:
            return self.interval
        return timedelta(seconds=mql.parse(self.query).interval_seconds)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.metric is None) == (self.query is None):
            raise ValueError("give either `metric` or `query`, not both and not neither")
        if self.query is not None:
            if self.statistic is not None:
                raise ValueError("`statistic` goes with `metric`; a query names its own")
            problem = mql.check_policy_query(self.query)
            if problem is not None:
                raise ValueError(f"query: {problem}")
        if not timedelta(minutes=1) <= self.interval <= timedelta(hours=24):
            raise ValueError("interval must be between 1m and 24h")
        return self


class TargetTracking(MetricPolicy):
    """Keep a metric near a target by sizing the pool in proportion to its load."""

    type: Literal["target_tracking"]
    target: Number = Field(gt=0, description="The value the metric should have.")
    tolerance: Tolerance = Field(default_factory=lambda: Tolerance.model_validate({}))
    per_instance: bool = Field(
        default=False, description="The metric is a total; `target` is the share of one instance."
    )
    demand: Demand | None = Field(None, description="Size for a percentile of recent demand.")


class OutStep(Section):
    """One rung of a scale-out ladder."""

    above: Number = Field(description="Holds when the value is above this.")
    add: InstanceAmount = Field(description="Instances to add: a count or a share of the size.")


class InStep(Section):
    """One rung of a scale-in ladder."""

    below: Number = Field(description="Holds when the value is below this.")
    remove: InstanceAmount = Field(description="Instances to remove: a count or a share.")


class OutLadder(Section):
    """When and by how much a step policy grows the pool."""

    for_: Duration = Field(alias="for", description="How long the breach must last.")
    steps: list[OutStep] = Field(min_length=1, max_length=20)


class InLadder(Section):
    """When and by how much a step policy shrinks the pool."""

    for_: Duration = Field(alias="for", description="How long the breach must last.")
    steps: list[InStep] = Field(min_length=1, max_length=20)


class Step(MetricPolicy):
    """Add or remove instances when a metric stays beyond a threshold."""

    type: Literal["step"]
    scale_out: OutLadder | None = None
    scale_in: InLadder | None = None

    @model_validator(mode="after")
    def _ladders_make_sense(self) -> Self:
        if self.scale_out is None and self.scale_in is None:
            raise ValueError("give `scale_out`, `scale_in` or both")
        above = [step.above for step in self.scale_out.steps] if self.scale_out else []
        below = [step.below for step in self.scale_in.steps] if self.scale_in else []
        if len(set(above)) != len(above) or len(set(below)) != len(below):
            raise ValueError("two steps of one ladder have the same threshold")
        if above and below and max(below) > min(above):
            raise ValueError(
                f"scale_in below {float(max(below)):g} overlaps scale_out above {float(min(above)):g}"
            )
        return self


Policy = Annotated[TargetTracking | Step, Field(discriminator="type")]
