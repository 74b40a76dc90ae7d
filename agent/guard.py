"""The local guard: what the node's owner allows, whatever any YAML from elsewhere says.

An optional file, owned by root:

    pools:                             # left out: every pool is allowed
      - ocid1.instancepool.oc1..web
    min: 1
    max: 30
    max_terminations_per_hour: 10      # counted for each pool
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import SettingsError
from agent.state import PoolNotes
from shared.engine.model import Guard

_MAX_BYTES = 64 * 1024


class GuardFile(BaseModel):
    """The file's content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pools: list[str] | None = None
    min: int | None = Field(None, ge=0)
    max: int | None = Field(None, ge=0)
    max_terminations_per_hour: int | None = Field(None, ge=0)


@dataclass(slots=True)
class LocalGuard:
    """Answers what may be done to a pool. `file` is replaced as a whole when it is read again."""

    file: GuardFile | None = None

    def allows(self, pool_id: str) -> bool:
        """Return whether the agent may resize this pool at all."""
        return self.file is None or self.file.pools is None or pool_id in self.file.pools

    def bounds(self, notes: PoolNotes, now: datetime) -> Guard | None:
        """Return the guard of a pool as the engine takes it, or None without a file."""
        if self.file is None:
            return None
        limit = self.file.max_terminations_per_hour
        removable = None if limit is None else max(0, limit - notes.removed_within_hour(now))
        return Guard(self.file.min, self.file.max, removable)


def read_guard(path: Path | None) -> LocalGuard:
    """Read the guard file; no path, no guard.

    Raises:
        SettingsError: a named file that is missing or wrong, for an owner who set a guard must
            never run without it.
    """
    if path is None:
        return LocalGuard()
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SettingsError(f"the guard file {path} is larger than 64 KiB")
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        guard = GuardFile.model_validate(found or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"cannot read the guard file {path}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "top level"
        raise SettingsError(f"the guard file {path}: {place}: {first['msg']}") from error
    if guard.min is not None and guard.max is not None and guard.min > guard.max:
        raise SettingsError(f"the guard file {path}: min ({guard.min}) is above max ({guard.max})")
    return LocalGuard(guard)
