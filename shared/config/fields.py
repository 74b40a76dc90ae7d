"""Small types that several sections share: names, OCIDs, zones, dates, days, sizes."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from shared.config.rules import Matches, Within
from shared.config.units import Duration, Noun

MAX_POOL_SIZE = 10_000  # OCI allows 500 a pool by default; the limit is raised on request


UpToADay = Annotated[Duration, Within(timedelta(0), timedelta(hours=24))]

# Names of the tz database that depend on the machine, or that are its own bookkeeping.
_NOT_ZONES = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*")


def _known_zone(name: str) -> str:
    sentence = "must be an IANA time zone such as Europe/Berlin or UTC"
    if len(name) > 64 or _NOT_ZONES.fullmatch(name):
        raise ValueError(sentence)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(sentence) from None
    return name


_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_YEARS = range(2000, 2200)  # a week before or after any of them is still a date


def _utc_instant(value: object) -> datetime:
    moment = value if isinstance(value, datetime) else None
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            moment = datetime.fromisoformat(value)
        if moment is not None and moment.tzinfo is not None and moment.year in _YEARS:
            return moment.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError("must be an instant with its zone, such as 2026-12-01T12:00:00Z")


def _calendar_date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            found = date.fromisoformat(value)
            return found if found.year in _YEARS else _no_date()
    except ValueError:
        pass
    return _no_date()


def _no_date() -> Never:
    raise ValueError("must be a date such as 2026-12-25, between the years 2000 and 2199")


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
        first, dash, last = str(entry).lower().partition("-")
        last = last if dash else first
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise ValueError("each day must be one of mon … sun, or a range such as mon-fri")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
        found.update((start + i) % 7 for i in range((end - start) % 7 + 1))
    return frozenset(found)


def format_days(days: frozenset[int]) -> list[str]:
    """Write weekday numbers as names, Monday first."""
    return [WEEKDAYS[day] for day in sorted(days)]


_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_COMPARTMENT_PATTERN = r"ocid1\.(?:compartment|tenancy)\.[A-Za-z0-9._-]+"
# JSON Schema knows no flags: each letter is spelled in both cases.
_A_DAY = "|".join("".join(f"[{c}{c.upper()}]" for c in day) for day in WEEKDAYS)
_DAYS_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": f"^(?:{_A_DAY})(?:-(?:{_A_DAY}))?$",
    "examples": ["mon-fri", "sun"],
}

Name = Annotated[
    str,
    Noun("name"),
    Matches(
        _NAME_PATTERN,
        "a name has 1 to 63 letters, digits, dots, dashes and underscores, and starts with a"
        " letter or digit",
        ("web",),
        63,
    ),
]
PoolOcid = Annotated[
    str,
    Noun("OCID"),
    Matches(
        r"ocid1\.instancepool\.[A-Za-z0-9._-]+",
        "must be the OCID of an instance pool (ocid1.instancepool.…)",
        ("ocid1.instancepool.oc1.eu-frankfurt-1.example",),
    ),
]
InstanceOcid = Annotated[
    str,
    Noun("OCID"),
    Matches(
        r"ocid1\.instance\.[A-Za-z0-9._-]+",
        "must be the OCID of an instance (ocid1.instance.…)",
        ("ocid1.instance.oc1.eu-frankfurt-1.example",),
    ),
]
CompartmentOcid = Annotated[
    str,
    Noun("OCID"),
    Matches(
        _COMPARTMENT_PATTERN,
        "must be the OCID of a compartment or of the tenancy (ocid1.compartment.…)",
        ("ocid1.compartment.oc1..example",),
    ),
]
Region = Annotated[
    str,
    Noun("region"),
    Matches(
        r"[a-z]{2,}-[a-z]+-\d+", "must be a region such as eu-frankfurt-1", ("eu-frankfurt-1",), 100
    ),
]
Zone = Annotated[
    str,
    Noun("time zone"),
    AfterValidator(_known_zone),
    Field(json_schema_extra={"examples": ["Europe/Berlin", "UTC"]}),
]
Instant = Annotated[
    datetime,
    Noun("instant"),
    BeforeValidator(_utc_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
CalendarDate = Annotated[
    date,
    Noun("date"),
    BeforeValidator(_calendar_date),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Size = Annotated[int, Field(ge=0, le=MAX_POOL_SIZE, strict=True)]
Days = Annotated[
    frozenset[int],
    Noun("days"),
    BeforeValidator(parse_days),
    PlainSerializer(format_days),
    WithJsonSchema(
        {"anyOf": [{"type": "array", "minItems": 1, "items": _DAYS_SCHEMA}, _DAYS_SCHEMA]}
    ),
]
