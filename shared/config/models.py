"""The file as a whole: pools, schedules, overrides. Keys, defaults and meaning are the contract."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from shared.config.fields import (
    MAX_POOL_SIZE,
    WEEKDAYS,
    CalendarDate,
    Days,
    Instant,
    Name,
    Size,
    Zone,
    parse_days,
)
from shared.config.policy_models import Policy
from shared.config.pool_models import AtLeast, Cooldown, Limits, MaxStep, Pool, Stabilization
from shared.config.rules import Within
from shared.config.section import InconsistentError, Section
from shared.config.units import Amount, ClockTime, Duration


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
