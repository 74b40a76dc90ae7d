"""The file as a whole: pools, schedules, overrides. Keys, defaults and meaning are the contract."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from shared.config.fields import (
    MAX_POOL_SIZE,
    WEEKDAYS,
    CalendarDate,
    CompartmentOcid,
    Days,
    Instant,
    Name,
    PoolOcid,
    Region,
    Size,
    UpToADay,
    Within,
    Zone,
    parse_days,
)
from shared.config.policy_models import InconsistentError, Policy, Section
from shared.config.units import (
    Amount,
    ClockTime,
    Duration,
    InstanceAmount,
    format_duration,
    parse_amount,
)


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

    name: Name = Field(description="Unique in the file; schedules and overrides refer to it.")
    instance_pool_id: PoolOcid = Field(description="The OCID of the instance pool.")
    compartment_id: CompartmentOcid = Field(description="The compartment that holds the pool.")
    region: Region = Field(description="The OCI region of the pool.")
    mode: Literal["active", "observe", "paused"] = Field(
        "active",
        description="`active` decides and resizes; `observe` decides and reports but never resizes;"
        " `paused` keeps its hands off, limits included.",
    )
    limits: Limits = Field(default_factory=lambda: Limits(min=1, max=10))
    policies: list[Policy] = Field(
        default_factory=list,
        max_length=20,
        description="What asks for instances. The largest need wins; a policy without data only"
        " blocks shrinking.",
    )
    stabilization: Stabilization = Field(default_factory=Stabilization)
    cooldown: Cooldown = Field(default_factory=Cooldown)
    max_step: MaxStep = Field(default_factory=MaxStep)
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


class Schedule(Section):
    """A window of local time in which the pools' bounds are different. A state, not an event."""

    name: Name = Field(description="Unique in the file.")
    pools: list[Name] | None = Field(
        None,
        min_length=1,
        max_length=5000,
        description="The pools it concerns; all of the file unless said otherwise.",
    )
    timezone: Zone | None = Field(
        None, description="In which its times are meant; the file's `timezone` unless said."
    )
    days: Days = Field(
        default_factory=lambda: frozenset(range(7)),
        description="The local days on which a window starts: mon … sun and ranges such as"
        " mon-fri; every day unless said otherwise.",
    )
    start: ClockTime = Field(description="Local time at which the window opens.")
    end: ClockTime = Field(
        description="Local time at which it closes; before `start` it crosses midnight."
    )
    target_instances: Size = Field(description="The bound that it sets; inside the pool's limits.")
    mode: Literal["at_least", "at_most", "exactly"] = Field(
        "at_least", description="Whether the target is a floor, a ceiling, or both."
    )
    ready_early: Annotated[Duration, Within(timedelta(0), timedelta(hours=12))] = Field(
        timedelta(0), description="Open this much earlier, so that instances are up by `start`."
    )
    except_: list[CalendarDate] = Field(
        default_factory=list,
        alias="except",
        max_length=1000,
        description="Start dates that are left out, such as holidays.",
    )
    from_: CalendarDate | None = Field(
        None, alias="from", description="The first start date, inclusive."
    )
    until: CalendarDate | None = Field(None, description="The last start date, inclusive.")
    active: bool = Field(default=True, strict=True, description="`false` suspends the schedule.")

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.start == self.end:
            raise InconsistentError(
                "start and end are equal: for a whole day write 00:00 to 24:00", "end"
            )
        if self.start == 24 * 60:
            raise InconsistentError("start cannot be 24:00: write 00:00 of the next day", "start")
        if self.from_ and self.until and self.from_ > self.until:
            raise InconsistentError(f"from ({self.from_}) is after until ({self.until})", "from")
        return self

    @property
    def duration_minutes(self) -> int:
        """Length of the window on an ordinary day; an end before the start is the next day."""
        return (self.end - self.start) % (24 * 60) or 24 * 60


class Override(Section):
    """A lease on a pool's size, never permanent; it replaces the pool's schedules and policies."""

    pool: Name = Field(description="The pool; one override each.")
    target_instances: Size = Field(description="The size to hold; inside the pool's limits.")
    until: Instant = Field(description="When the lease ends by itself.")
    reason: str = Field(
        min_length=1, max_length=500, description="Why, for those who wonder later."
    )


def _exactly_one(value: object) -> object:
    # Literal compares, and True and 1.0 are equal to 1.
    if type(value) is not int or value != 1:
        raise ValueError("must be 1, the only version of this format")
    return value


class Config(Section):
    """A whole configuration file of one node."""

    version: Annotated[Literal[1], BeforeValidator(_exactly_one)] = Field(
        description="The version of this format."
    )
    timezone: Zone = Field("UTC", description="IANA time zone, the default for schedules.")
    poll_interval: Annotated[Duration, Within(timedelta(seconds=1), timedelta(hours=1))] = Field(
        timedelta(seconds=30), description="How often pool states are observed and decided."
    )
    pools: list[Pool] = Field(max_length=5000, description="The instance pools of this node.")
    schedules: list[Schedule] = Field(
        default_factory=list,
        max_length=5000,
        description="Windows of local time with bounds of their own. Between schedules the highest"
        " floor and the lowest ceiling apply, and a floor wins over a lower ceiling.",
    )
    overrides: list[Override] = Field(
        default_factory=list, max_length=5000, description="Leases on the size of single pools."
    )

    def zone_of(self, schedule: Schedule) -> str:
        """The IANA zone in which a schedule's times are meant."""
        return schedule.timezone or self.timezone

    def schedules_of(self, pool: str) -> list[Schedule]:
        """The schedules that concern a pool, in file order."""
        return [s for s in self.schedules if s.pools is None or pool in s.pools]

    def overrides_of(self, pool: str) -> list[Override]:
        """The overrides of a pool, in file order."""
        return [o for o in self.overrides if o.pool == pool]

    def pool(self, name: str) -> Pool | None:
        """The pool of that name, or None."""
        return next((pool for pool in self.pools if pool.name == name), None)


def as_file_keys(section: Section) -> dict[str, Any]:
    """A section as the YAML would spell it (aliases, units); for showing and hashing parts."""
    return section.model_dump(mode="json", by_alias=True)


__all__ = [
    "MAX_POOL_SIZE",
    "WEEKDAYS",
    "Amount",
    "AtLeast",
    "Config",
    "Cooldown",
    "Limits",
    "MaxStep",
    "Override",
    "Policy",
    "Pool",
    "Schedule",
    "Stabilization",
    "as_file_keys",
    "parse_days",
]
