"""The policies of a pool as operators write them; their arithmetic is in the engine."""

from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared import mql
from shared.config.fields import CompartmentOcid, Matches, Name, UpToADay, Within
from shared.config.units import Duration, InstanceAmount, Noun, Number, Percentage, format_duration

COMPUTE_AGENT = "oci_computeagent"
PERCENT_METRICS = frozenset({"CpuUtilization", "MemoryUtilization"})


class InconsistentError(ValueError):
    """Values that are each legal but do not fit together; raised by a section about its keys.

    Attributes:
        at: where below the section to point, when one key is the one to mend.
    """

    def __init__(self, message: str, *at: str | int) -> None:
        self.at = at
        super().__init__(message)


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


# A file with a thousand pools repeats a few queries: each is parsed once.
_query_problem = lru_cache(maxsize=1024)(mql.check_policy_query)


@lru_cache(maxsize=1024)
def _query_interval(query: str) -> int:
    return mql.parse(query).interval


def _usable_query(query: str) -> str:
    problem = _query_problem(query)
    if problem is not None:
        raise ValueError(problem)
    return query


PolicyQuery = Annotated[
    str,
    Noun("MQL"),
    Field(min_length=3, max_length=4096),
    AfterValidator(_usable_query),
]


MetricName = Annotated[
    str,
    Noun("metric name"),
    Matches(
        r"[A-Za-z_][A-Za-z0-9_.$-]{0,254}",
        "must be a metric name such as CpuUtilization; anything more goes into `query`",
        ("CpuUtilization", "MemoryUtilization"),
    ),
]
Statistic = Annotated[
    str,
    Noun("statistic"),
    Matches(
        r"mean|max|min|p(?:[1-9]|[1-9]\d)",
        "must be mean, max, min or a percentile from p1 to p99",
        ("mean", "max", "p90"),
    ),
]
Namespace = Annotated[
    str,
    Noun("namespace"),
    Matches(
        r"[a-z][a-z0-9_]{0,254}",
        "must be a metric namespace: lower-case letters, digits and underscores",
        (COMPUTE_AGENT, "my_app"),
    ),
]
ResourceGroup = Annotated[
    str,
    Noun("resource group"),
    Matches(
        r"[A-Za-z0-9._-]{1,254}",
        "must be a metric resource group: letters, digits, dots, dashes and underscores",
    ),
]
Interval = Annotated[Duration, Within(timedelta(minutes=1), timedelta(hours=24))]


class Tolerance(Section):
    """How far the metric may stray from its target before the size changes, per direction."""

    out: Percentage = Field(
        Fraction(1, 10), le=1, description="Above the target; the edge itself still holds."
    )
    in_: Percentage = Field(
        Fraction(1, 10),
        alias="in",
        lt=1,
        description="Below the target; the edge itself still holds.",
    )


class Demand(Section):
    """Size for a percentile of recent demand instead of its newest value."""

    percentile: int = Field(
        ge=1, le=100, strict=True, description="Nearest-rank percentile, 1 to 100."
    )
    window: Annotated[Duration, Within(timedelta(minutes=2), timedelta(hours=24))] = Field(
        description="How far back demand is looked at. Half of its metric windows must be there"
        " to grow, 80 % to shrink."
    )


class MetricPolicy(Section):
    """What every policy that reads a metric has in common."""

    name: Name = Field(description="Unique in the pool; reasons and stored metrics carry it.")
    metric: MetricName | None = Field(
        None,
        description="The metric's name, read once per instance. Give this or `query`.",
    )
    query: PolicyQuery | None = Field(
        None,
        description="Any query of Oracle's Monitoring Query Language, sent as it is. It must give"
        " one stream, or streams with the dimension instancePoolId; comparisons are not allowed.",
        examples=['QueueDepth[1m]{queue = "orders"}.max()'],
    )
    statistic: Statistic | None = Field(
        None,
        description="How the instances' values become one: mean (the default), max, min, or a"
        " percentile p1 … p99. Goes with `metric`; a query names its own.",
    )
    namespace: Namespace = Field(
        COMPUTE_AGENT, description="Where the metric is published in OCI Monitoring."
    )
    resource_group: ResourceGroup | None = Field(
        None, description="Narrows the namespace to one resource group."
    )
    metric_compartment_id: CompartmentOcid | None = Field(
        None, description="The compartment of the metric; the pool's own unless said otherwise."
    )
    interval: Interval = Field(
        timedelta(minutes=1),
        description="The length of one metric window. A query names its own.",
    )
    unit: Literal["percent", "count", "bytes", "seconds"] | None = Field(
        None,
        description="What the values mean. `percent` bounds them: 100 to 110 reads as 100, more is"
        " rejected. CpuUtilization and MemoryUtilization of oci_computeagent are percentages"
        " by themselves.",
    )

    @property
    def is_percent(self) -> bool:
        """Whether values are percentages: 100 to 110 reads as 100, more is rejected."""
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
        if self.query is None:
            return self
        if self.statistic is not None:
            raise InconsistentError("goes with `metric`; a query names its own", "statistic")
        if "interval" in self.model_fields_set and self.interval != self.effective_interval:
            own = format_duration(self.effective_interval)
            raise InconsistentError(f"the query's own is {own}; leave this out", "interval")
        return self


class TargetTracking(MetricPolicy):
    """Keep a metric near a target by sizing the pool in proportion to its load."""

    type: Literal["target_tracking"] = Field(description="Size in proportion to the load.")
    target: Number = Field(
        gt=0, description="The value that the metric should have, in the metric's own unit."
    )
    tolerance: Tolerance = Field(default_factory=lambda: Tolerance.model_validate({}))
    per_instance: bool = Field(
        default=False,
        strict=True,
        description="The metric is a total of the whole pool (a queue, requests per second);"
        " `target` is the share that one instance should carry.",
    )
    demand: Demand | None = Field(
        None,
        description="Size for a percentile of recent demand; left out, the newest value counts.",
    )


class OutStep(Section):
    """One rung of a scale-out ladder."""

    above: Number = Field(ge=0, description="Holds while the value is above this.")
    add: InstanceAmount = Field(
        description="What to add: a count, or a share of the size (rounded up, at least 1)."
    )


class InStep(Section):
    """One rung of a scale-in ladder."""

    below: Number = Field(gt=0, description="Holds while the value is below this.")
    remove: InstanceAmount = Field(
        description="What to remove: a count, or a share of the size (rounded down, at least 1)."
    )


def _refuse_twins(thresholds: list[Fraction]) -> None:
    for position, threshold in enumerate(thresholds):
        if threshold in thresholds[:position]:
            raise InconsistentError("another step has the same threshold", "steps", position)


class OutLadder(Section):
    """When and by how much a step policy grows the pool; the highest `above` that held counts."""

    for_: UpToADay = Field(
        alias="for", description="How long every metric window must have been beyond the step."
    )
    steps: list[OutStep] = Field(
        min_length=1, max_length=20, description="The rungs, in any order."
    )

    @model_validator(mode="after")
    def _no_step_twice(self) -> Self:
        _refuse_twins([step.above for step in self.steps])
        return self


class InLadder(Section):
    """When and by how much a step policy shrinks the pool; the lowest `below` that held counts."""

    for_: UpToADay = Field(
        alias="for", description="How long every metric window must have been beyond the step."
    )
    steps: list[InStep] = Field(min_length=1, max_length=20, description="The rungs, in any order.")

    @model_validator(mode="after")
    def _no_step_twice(self) -> Self:
        _refuse_twins([step.below for step in self.steps])
        return self


class Step(MetricPolicy):
    """Add or remove instances when a metric stays beyond a threshold."""

    type: Literal["step"] = Field(description="Act when a threshold was passed long enough.")
    scale_out: OutLadder | None = Field(
        None, description="When and by how much to grow; left out, this policy never grows."
    )
    scale_in: InLadder | None = Field(
        None, description="When and by how much to shrink; left out, this policy never shrinks."
    )

    @model_validator(mode="after")
    def _ladders_make_sense(self) -> Self:
        if self.scale_out is None and self.scale_in is None:
            raise InconsistentError("give `scale_out`, `scale_in` or both")
        above = [step.above for step in self.scale_out.steps] if self.scale_out else []
        below = [step.below for step in self.scale_in.steps] if self.scale_in else []
        if above and below and max(below) > min(above):
            raise InconsistentError(
                f"scale_in below {float(max(below)):g} overlaps"
                f" scale_out above {float(min(above)):g}"
            )
        return self


Policy = Annotated[TargetTracking | Step, Field(discriminator="type")]


def policy_types() -> dict[str, type[MetricPolicy]]:
    """The members of the union above by the word that `type` carries."""
    members = get_args(get_args(Policy)[0])
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in members}
