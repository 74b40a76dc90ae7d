"""The policies of a pool as operators write them; their arithmetic is in the engine."""

from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared import mql
from shared.config.fields import CompartmentOcid, Matches, Name
from shared.config.units import Duration, InstanceAmount, Number, Percentage

COMPUTE_AGENT = "oci_computeagent"
PERCENT_METRICS = frozenset({"CpuUtilization", "MemoryUtilization"})


class InconsistentError(ValueError):
    """Values that are each legal but do not fit together; raised by a section about its keys."""


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


# A file with a thousand pools repeats a few queries: each is parsed once.
_query_problem = lru_cache(maxsize=1024)(mql.check_policy_query)


@lru_cache(maxsize=1024)
def _query_interval(query: str) -> int:
    return mql.parse(query).interval


MetricName = Annotated[
    str,
    Matches(
        r"[A-Za-z_][A-Za-z0-9_.$-]{0,254}",
        "must be a metric name such as CpuUtilization; anything more goes into `query`",
        ("CpuUtilization", "MemoryUtilization"),
    ),
]
Statistic = Annotated[
    str,
    Matches(
        r"mean|max|min|p(?:[1-9]|[1-9]\d)",
        "must be mean, max, min or a percentile from p1 to p99",
        ("mean", "max", "p90"),
    ),
]
Namespace = Annotated[
    str,
    Matches(
        r"[a-z][a-z0-9_]{0,254}",
        "must be a metric namespace: lower-case letters, digits and underscores",
        (COMPUTE_AGENT,),
    ),
]
ResourceGroup = Annotated[
    str,
    Matches(
        r"[A-Za-z0-9._-]{1,254}",
        "must be a metric resource group: letters, digits, dots, dashes and underscores",
    ),
]


class Tolerance(Section):
    """How far the metric may stray from its target before the size changes, per direction."""

    out: Percentage = Field(Fraction(1, 10), description="Above the target, edge included.")
    in_: Percentage = Field(
        Fraction(1, 10), alias="in", description="Below the target, edge included."
    )


class Demand(Section):
    """Size for a percentile of recent demand instead of its newest value."""

    percentile: int = Field(
        ge=1, le=100, strict=True, description="Nearest-rank percentile, 1 to 100."
    )
    window: Duration = Field(description="How far back demand is looked at.")

    @model_validator(mode="after")
    def _window_is_useful(self) -> Self:
        if not timedelta(minutes=2) <= self.window <= timedelta(hours=24):
            raise InconsistentError("demand.window must be between 2m and 24h")
        return self


class MetricPolicy(Section):
    """What every policy that reads a metric has in common."""

    name: Name = Field(description="Unique in the pool; reasons and metrics carry it.")
    metric: MetricName | None = Field(
        None, description="Metric name, read per instance; give this or `query`."
    )
    query: str | None = Field(
        None, min_length=3, max_length=4096, description="Any MQL query, sent as it is."
    )
    statistic: Statistic | None = Field(
        None,
        description="How the instances' values become one: mean (default), max, min, p1 … p99.",
    )
    namespace: Namespace = Field(COMPUTE_AGENT, description="Metric namespace.")
    resource_group: ResourceGroup | None = Field(None, description="Metric resource group.")
    metric_compartment_id: CompartmentOcid | None = Field(
        None, description="Where the metric lives; default: the pool's compartment."
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
        return timedelta(seconds=_query_interval(self.query))

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.metric is None) == (self.query is None):
            raise InconsistentError("give either `metric` or `query`, not both and not neither")
        if self.query is not None:
            if self.statistic is not None:
                raise InconsistentError("`statistic` goes with `metric`; a query names its own")
            problem = _query_problem(self.query)
            if problem is not None:
                raise InconsistentError(f"query: {problem}")
        if not timedelta(minutes=1) <= self.interval <= timedelta(hours=24):
            raise InconsistentError("interval must be between 1m and 24h")
        return self


class TargetTracking(MetricPolicy):
    """Keep a metric near a target by sizing the pool in proportion to its load."""

    type: Literal["target_tracking"]
    target: Number = Field(gt=0, description="The value the metric should have.")
    tolerance: Tolerance = Field(default_factory=lambda: Tolerance.model_validate({}))
    per_instance: bool = Field(
        default=False,
        strict=True,
        description="The metric is a total; `target` is the share of one instance.",
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
            raise InconsistentError("give `scale_out`, `scale_in` or both")
        above = [step.above for step in self.scale_out.steps] if self.scale_out else []
        below = [step.below for step in self.scale_in.steps] if self.scale_in else []
        if len(set(above)) != len(above) or len(set(below)) != len(below):
            raise InconsistentError("two steps of one ladder have the same threshold")
        if above and below and max(below) > min(above):
            raise InconsistentError(
                f"scale_in below {float(max(below)):g} overlaps"
                f" scale_out above {float(min(above)):g}"
            )
        return self


Policy = Annotated[TargetTracking | Step, Field(discriminator="type")]
