"""How pages write numbers, instants and states. Filters of the templates, pure."""

from datetime import UTC, datetime, timedelta

SHORT_HASH = 8
LONGEST_NAME = 120


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago a moment was, or in how long it will be, in the largest fitting unit."""
    if moment is None:
        return "never"
    seconds = (utc(now) - utc(moment)) / timedelta(seconds=1)
    text = duration(abs(seconds))
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def duration(seconds: float) -> str:
    """A length of time in whole units of its largest fitting kind."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def utc(moment: datetime) -> datetime:
    """A moment as aware UTC; the database's bare ones are UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def iso(moment: datetime | None) -> str:
    """A moment for the `datetime` attribute."""
    return "" if moment is None else utc(moment).isoformat(timespec="seconds")


def stamp(moment: datetime | None) -> str:
    """A moment as people read it, in UTC."""
    return "—" if moment is None else utc(moment).strftime("%Y-%m-%d %H:%M:%S UTC")


def short_hash(digest: str | None) -> str:
    """The start of a hash, enough to tell two apart."""
    return "—" if not digest else digest[:SHORT_HASH]


def percent(value: float | None) -> str:
    """A utilisation; unknown is said, never 0."""
    return "unknown" if value is None else f"{value:.0f} %"


def clipped(text: str | None, length: int = LONGEST_NAME) -> str:
    """A text that fits into a row; its whole is in the title or on its own page."""
    whole = text or ""
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def words(code: str | None) -> str:
    """A code such as WENT_OFFLINE as words."""
    return (code or "").replace("_", " ").lower()
