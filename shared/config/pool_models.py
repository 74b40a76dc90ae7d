"""One instance pool: its limits, policies and tempers."""

from datetime import timedelta
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from shared.config.fields import (
    CompartmentOcid,
    InstanceOcid,
    Name,
    PoolOcid,
    Region,
    Size,
    UpToADay,
)
from shared.config.policy_models import Policy
from shared.config.section import InconsistentError, Section
from shared.config.units import InstanceAmount, format_duration, parse_amount


class Limits(Section):
    """Hard bounds of the pool's size. Nothing but the node's local guard is stronger."""

    min: Size = Field(1, description="Never fewer instances than this.")
    max: Size = Field(10, description="Never more instances than this.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise InconsistentError(f"min ({self.min}) is above max ({self.max})")
        return self


class Stabilization(Section):
    """Act on the smallest need (growing) or the largest (shrinking) seen within these windows."""

    scale_out: UpToADay = Field(
        timedelta(0), description="A need must have lasted this long before the pool grows."
    )
    scale_in: UpToADay = Field(
        timedelta(minutes=5),
        description="The pool shrinks only to the largest need of this long, and only when the"
        " whole of it was observed.",
    )


class Cooldown(Section):
    """How long to wait after a settled change before the next one, per direction."""

    scale_out: UpToADay = Field(
        timedelta(minutes=1), description="Counted from the last settled growth."
    )
    scale_in: UpToADay = Field(
        timedelta(minutes=5),
        description="Counted from the last settled change in either direction, whoever made it.",
    )


class MaxStep(Section):
    """The most that one decision may add or remove; limits and schedules may exceed it."""

    scale_out: InstanceAmount = Field(
        default_factory=lambda: parse_amount("100%"),
        description="A count, or a share of the size (rounded up).",
    )
    scale_in: InstanceAmount = Field(
        default_factory=lambda: parse_amount("50%"),
        description="A count, or a share of the size (rounded down, at least 1).",
    )


class AtLeast(Section):
    """Without any metrics, keep at least this many instances."""

    at_least: Size = Field(description="Grow to this many when no policy has data.")


def _form_of_on_missing(value: object) -> str:
    return "at_least" if isinstance(value, dict | AtLeast) else "hold"


OnMissing = Annotated[
    Annotated[Literal["hold"], Tag("hold")] | Annotated[AtLeast, Tag("at_least")],
    Discriminator(_form_of_on_missing),
]


class Pool(Section):
    """One OCI instance pool and how it is sized."""

    # Sections never change, so pools that leave one out share one: `cache` keeps it.

    name: Name = Field(description="Unique in the file; schedules and overrides refer to it.")
    instance_pool_id: PoolOcid = Field(description="The OCID of the instance pool.")
    compartment_id: CompartmentOcid = Field(description="The compartment that holds the pool.")
    region: Region = Field(description="The OCI region of the pool.")
    mode: Literal["active", "observe", "paused"] = Field(
        "active",
        description="`active` decides and resizes; `observe` decides and reports but never resizes;"
        " `paused` keeps its hands off, limits included.",
    )
    limits: Limits = Field(default_factory=cache(Limits))
    policies: list[Policy] = Field(
        default_factory=list,
        max_length=20,
        description="What asks for instances. The largest need wins; a policy without data only"
        " blocks shrinking.",
    )
    protected: list[InstanceOcid] = Field(
        default_factory=list,
        max_length=500,
        description="Members that are never removed. While one of them is in the pool, it shrinks"
        " by one chosen instance at a time instead of oldest first.",
    )
    stabilization: Stabilization = Field(default_factory=cache(Stabilization))
    cooldown: Cooldown = Field(default_factory=cache(Cooldown))
    max_step: MaxStep = Field(default_factory=cache(MaxStep))
    warmup: UpToADay = Field(
        timedelta(minutes=1),
        description="How long after it was first seen Running an instance counts in full.",
    )
    metric_lag: UpToADay = Field(
        timedelta(minutes=2), description="Metric windows younger than this are not trusted yet."
    )
    stale_after: UpToADay = Field(
        timedelta(minutes=6),
        description="When the newest trusted window is older than this, the policy has no data.",
    )
    on_missing_metrics: OnMissing = Field(
        "hold",
        description="When no policy has data: `hold` the size, or `{at_least: N}` to grow to N."
        " Limits, schedules and overrides are enforced all the same.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [policy.name for policy in self.policies]
        for position, name in enumerate(names):
            if name in names[:position]:
                raise InconsistentError(
                    f"another policy is named {name!r}", "policies", position, "name"
                )
        if self.stale_after <= self.metric_lag:
            lag = format_duration(self.metric_lag)
            raise InconsistentError(f"must be longer than metric_lag ({lag})", "stale_after")
        return self
