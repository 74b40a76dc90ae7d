"""The file as a whole: pools, schedules, overrides. Keys, defaults and meaning are the contract."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

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
    Zone,
    parse_days,
)
from shared.config.policy_models import InconsistentError, Policy, Section
from shared.config.units import Amount, ClockTime, Duration, InstanceAmount, parse_amount


class Limits(Section):
    """Hard bounds of the pool's size. Nothing but the local guard is stronger."""

    min: Size = Field(1, description="Never fewer instances than this.")
    max: Size = Field(10, description="Never more instances than this.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise InconsistentError(f"min ({self.min}) is above max ({self.max})")
        return self


class Stabilization(Section):
    """Act on the smallest (out) or largest (in) need seen within these windows."""

    scale_out: Duration = timedelta(0)
    scale_in: Duration = timedelta(minutes=5)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if max(self.scale_out, self.scale_in) > timedelta(hours=24):
            raise InconsistentError("stabilization windows are at most 24h")
        return self


class Cooldown(Section):
    """How long to wait after a settled change before the next one, per direction."""

    scale_out: Duration = timedelta(minutes=1)
    scale_in: Duration = timedelta(minutes=5)


class MaxStep(Section):
    """The most that one decision may add or remove."""

    scale_out: InstanceAmount = Field(default_factory=lambda: parse_amount("100%"))
    scale_in: InstanceAmount = Field(default_factory=lambda: parse_amount("50%"))


class AtLeast(Section):
    """Without any metrics, keep at least this many instances."""

    at_least: Size


def _form_of_on_missing(value: object) -> str:
    return "at_least" if isinstance(value, dict | AtLeast) else "hold"


OnMissing = Annotated[
    Annotated[Literal["hold"], Tag("hold")] | Annotated[AtLeast, Tag("at_least")],
    Discriminator(_form_of_on_missing),
]


class Pool(Section):
    """One OCI instance pool and how it is sized."""

    name: Name
    instance_pool_id: PoolOcid
    compartment_id: CompartmentOcid
    region: Region
    mode: Literal["active", "observe", "paused"] = "active"
    limits: Limits = Field(default_factory=lambda: Limits(min=1, max=10))
    policies: list[Policy] = Field(default_factory=list, max_length=20)
    stabilization: Stabilization = Field(default_factory=Stabilization)
    cooldown: Cooldown = Field(default_factory=Cooldown)
    max_step: MaxStep = Field(default_factory=MaxStep)
    warmup: Duration = timedelta(minutes=1)
    metric_lag: Duration = timedelta(minutes=2)
    stale_after: Duration = timedelta(minutes=6)
    on_missing_metrics: OnMissing = "hold"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [policy.name for policy in self.policies]
        for name in names:
            if names.count(name) > 1:
                raise InconsistentError(f"two policies are named {name!r}")
        if self.stale_after <= self.metric_lag:
            raise InconsistentError("stale_after must be longer than metric_lag")
        return self


class Schedule(Section):
    """A window of local time in which the pools' bounds are different."""

    name: Name
    pools: list[Name] | None = Field(None, min_length=1, description="Default: all pools.")
    timezone: Zone | None = Field(None, description="Default: the file's timezone.")
    days: Days = Field(default_factory=lambda: frozenset(range(7)), description="Days it starts.")
    start: ClockTime
    end: ClockTime
    target_instances: Size
    mode: Literal["at_least", "at_most", "exactly"] = "at_least"
    ready_early: Duration = Field(timedelta(0), description="Be there this long before start.")
    except_: list[CalendarDate] = Field(default_factory=list, alias="except")
    from_: CalendarDate | None = Field(None, alias="from")
    until: CalendarDate | None = None
    active: bool = Field(default=True, strict=True)

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.start == self.end:
            raise InconsistentError("start and end are equal: for a whole day write 00:00 to 24:00")
        if self.start == 24 * 60:
            raise InconsistentError("start cannot be 24:00: write 00:00 of the next day")
        if self.from_ and self.until and self.from_ > self.until:
            raise InconsistentError(f"from ({self.from_}) is after until ({self.until})")
        if self.ready_early > timedelta(hours=12):
            raise InconsistentError("ready_early is at most 12h")
        return self

    @property
    def duration_minutes(self) -> int:
        """Length of the window on an ordinary day; an end before the start is the next day."""
        return (self.end - self.start) % (24 * 60) or 24 * 60


class Override(Section):
    """A lease on a pool's size: who asked is audited, why and until when stand here."""

    pool: Name
    target_instances: Size
    until: Instant
    reason: str = Field(min_length=1, max_length=500)


class Config(Section):
    """A whole configuration file of one node."""

    version: Literal[1]
    timezone: Zone = "UTC"
    poll_interval: Duration = timedelta(seconds=30)
    pools: list[Pool] = Field(max_length=5000)
    schedules: list[Schedule] = Field(default_factory=list, max_length=5000)
    overrides: list[Override] = Field(default_factory=list, max_length=5000)

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
