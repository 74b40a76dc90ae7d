"""Where a policy gets its readings from: a metric of each instance, or a query."""

from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from shared import mql
from shared.config.fields import CompartmentOcid, Name
from shared.config.rules import Matches, Within
from shared.config.section import InconsistentError, Section
from shared.config.units import Duration, Noun, format_duration

COMPUTE_AGENT = "oci_computeagent"
PERCENT_METRICS = frozenset({"CpuUtilization", "MemoryUtilization"})

# A file with a thousand pools repeats a few queries: each is parsed once.
_query_problem = lru_cache(maxsize=1024)(mql.check_policy_query)


@lru_cache(maxsize=1024)
def _query_interval(query: str) -> int:
    return mql.parse(query).interval


PolicyQuery = Annotated[str, Noun("query"), Field(min_length=3, max_length=4096)]


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


class MetricPolicy(Section):
    """What every policy that reads a metric has in common."""

    name: Name = Field(description="Unique in the pool; reasons and stored metrics carry it.")
    source: Literal["oci", "prometheus"] = Field(
        "oci",
        description="Who is asked: OCI Monitoring, or the Prometheus server whose address the"
        " node's environment names.",
    )
    metric: MetricName | None = Field(
        None,
        description="The metric's name, read once per instance. Give this or `query`.",
    )
    query: PolicyQuery | None = Field(
        None,
        description="Any query of Oracle's Monitoring Query Language, sent as it is. It must give"
        " one stream, or streams with the dimension instancePoolId; comparisons are not allowed."
        " With `source: prometheus` it is PromQL: one series, or series with the label"
        " instance_pool_id, evaluated at the end of every `interval`.",
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
        description="The length of one metric window. An MQL query names its own.",
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
        if self.query is None or self.source == "prometheus":
            return self.interval
        return timedelta(seconds=_query_interval(self.query))

    @field_validator("query")
    @classmethod
    def _usable_query(cls, query: str | None, given: ValidationInfo) -> str | None:
        if query is None or given.data.get("source") == "prometheus":
            return query  # PromQL is read by Prometheus alone
        problem = _query_problem(query)
        if problem is not None:
            raise ValueError(problem)
        return query

    @model_validator(mode="after")
    def _asks_prometheus_in_its_own_words(self) -> Self:
        if self.source != "prometheus":
            return self
        foreign = ("metric", "statistic", "namespace", "resource_group", "metric_compartment_id")
        for key in foreign:
            if key in self.model_fields_set:
                raise InconsistentError("goes with OCI Monitoring; use a PromQL `query`", key)
        if self.query is None:
            raise InconsistentError("source: prometheus needs a PromQL `query`")
        return self

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
