"""A clock for rehearsals: simulated time that runs faster than wall time."""

from dataclasses import dataclass
from datetime import datetime

from agent.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ClockSpec:
    """A clock for rehearsals: `scale` times wall time, from a pair of origins."""

    scale: float = 1.0
    simulated: datetime | None = None
    wall: datetime | None = None


def parse_clock(text: str) -> ClockSpec:
    """Read `scale=60;simulated=2026-01-05T08:00:00Z;wall=2026-01-05T07:00:00Z`; empty: real time.

    Raises:
        SettingsError: an unknown key, or a value that is no number or instant.
    """
    given = dict(part.partition("=")[::2] for part in text.split(";") if part)
    if unknown := given.keys() - {"scale", "simulated", "wall"}:
        raise SettingsError(f"POOLKEEPER_CLOCK does not know {', '.join(sorted(unknown))}")
    try:
        scale = float(given.get("scale", "1"))
        moments = {
            name: datetime.fromisoformat(given[name])
            for name in ("simulated", "wall")
            if name in given
        }
    except ValueError as error:
        raise SettingsError(f"POOLKEEPER_CLOCK: {error}") from error
    if scale <= 0 or any(moment.tzinfo is None for moment in moments.values()):
        raise SettingsError("POOLKEEPER_CLOCK needs a scale above 0 and instants with their zone")
    return ClockSpec(scale, moments.get("simulated"), moments.get("wall"))
