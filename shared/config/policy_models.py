"""The policies of a pool as operators write them; their arithmetic is in the engine."""

from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from shared.config.fields import UpToADay
from shared.config.metric_policy import COMPUTE_AGENT, PERCENT_METRICS, MetricPolicy
from shared.config.rules import Needs, Within
from shared.config.section import InconsistentError, Section
from shared.config.units import Duration, InstanceAmount, Number, Percentage


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
    headroom: Annotated[int, Needs("config.headroom")] = Field(
        0,
        ge=0,
        le=1000,
        strict=True,
        description="Instances to keep beyond what `target` asks for. A share of headroom, as a"
        " lower target gives, is least where the pool is small and noise is largest; a count is"
        " not.",
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


__all__ = [
    "COMPUTE_AGENT",
    "PERCENT_METRICS",
    "Demand",
    "InconsistentError",
    "MetricPolicy",
    "Policy",
    "Section",
    "Step",
    "TargetTracking",
    "Tolerance",
    "policy_types",
]
