"""The file as a whole: pools, schedules, overrides. Keys, defaults and meaning are the contract."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from shared.config.policy_models import Policy, Section
from shared.config.units import Amount, ClockTime, Duration, InstanceAmount, parse_amount

MAX_POOL_SIZE = 10_000  # OCI allows 500 a pool by default; the limit is raised on request


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is not an IANA time zone such as Europe/Berlin or UTC"
        ) from None
    return name


def _utc_instant(value: object) -> datetime:
    if isinstance(value, datetime):
        moment = value
    else:
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None  # type: ignore[assignment] # None is refused below
        except ValueError:
            moment = None  # type: ignore[assignment] # the same
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be an instant with its zone, such as 2026-12-01T12:00:00Z")
    return moment.astimezone(UTC)


def _calendar_date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else date.min.replace(day=99)
    except ValueError:
        raise ValueError("must be a date such as 2026-12-25") from None


Zone = Annotated[str, AfterValidator(_known_zone)]
Instant = Annotated[
    datetime,
    BeforeValidator(_utc_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
CalendarDate = Annotated[
    date,
    BeforeValidator(_calendar_date),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Size = Annotated[int, Field(ge=0, le=MAX_POOL_SIZE, strict=True)]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_days(value: object) -> frozenset[int]:
    """Read `[mon-fri, sun]` as weekday numbers, Monday 0. Ranges may wrap (`sat-mon`)."""
    if isinstance(value, frozenset):
        return value
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list) or not entries:
        raise ValueError("must be a list of days such as [mon-fri, sun]")
    found: set[int] = set()
    for entry in entries:
        first, _, last = str(entry).strip().lower().partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ValueError(f"{entry!r} is not a day or a range of days: use mon … sun or mon-fri")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        found.update((start + i) % 7 for i in range((end - start) % 7 + 1))
    return frozenset(found)


Days = Annotated[
    frozenset[int],
    BeforeValidator(parse_days),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "examples": ["mon-fri", "sun"]},
        }
    ),
]


class Limits(Section):
    """Hard bounds of the pool's size. Nothing but the local guard is stronger."""

    min: Size = Field(1, description="Never fewer instances than this.")
    max: Size = Field(10, description="Never more instances than this.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class Stabilization(Section):
    """Act on the smallest (out) or largest (in) need seen within these windows."""

    scale_out: Duration = timedelta(0)
    scale_in: Duration = timedelta(minutes=5)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if max(self.scale_out, self.scale_in) > timedelta(hours=24):
            raise ValueError("stabilization windows are at most 24h")
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


class Pool(Section):
    """One OCI instance pool and how it is sized."""

    name: Name
    instance_pool_id: str = Field(pattern=r"^ocid1\.instancepool\.", max_length=255)
    compartment_id: str = Field(pattern=r"^ocid1\.(compartment|tenancy)\.", max_length=255)
    region: str = Field(pattern=r"^[a-z]{2,}-[a-z]+-\d+$", max_length=100)
    mode: Literal["active", "observe", "paused"] = "active"
    limits: Limits = Field(default_factory=lambda: Limits(min=1, max=10))
    policies: list[Policy] = Field(default_factory=list, max_length=20)
    stabilization: Stabilization = Field(default_factory=Stabilization)
    cooldown: Cooldown = Field(default_factory=Cooldown)
    max_step: MaxStep = Field(default_factory=MaxStep)
    warmup: Duration = timedelta(minutes=1)
    metric_lag: Duration = timedelta(minutes=2)
    stale_after: Duration = timedelta(minutes=6)
    on_missing_metrics: Literal["hold"] | AtLeast = "hold"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [policy.name for policy in self.policies]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two policies are named {name!r}")
        if self.stale_after <= self.metric_lag:
            raise ValueError("stale_after must be longer than metric_lag")
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
            raise ValueError("start and end are equal: for a whole day write 00:00 to 24:00")
        if self.start == 24 * 60:
            raise ValueError("start cannot be 24:00: write 00:00 of the next day")
        if self.from_ and self.until and self.from_ > self.until:
            raise ValueError(f"from ({self.from_}) is after until ({self.until})")
        if self.ready_early > timedelta(hours=12):
            raise ValueError("ready_early is at most 12h")
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


__all__ = ["Amount", "Config", "Override", "Policy", "Pool", "Schedule", "as_file_keys"]
