"""Observations and memories read from JSON: checked, with one sentence when they are unusable."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from shared.engine.model import (
    Blocked,
    Guard,
    LastWrite,
    Member,
    Memory,
    NeedRun,
    Observation,
    PoolState,
    Reading,
)

_Model = TypeVar("_Model", bound=BaseModel)


_YEARS = range(2000, 2200)  # waits and shifts of any of them are still dates


def _in_utc(at: datetime) -> datetime:
    if at.year not in _YEARS:
        raise ValueError("must be an instant between the years 2000 and 2199")
    return at.astimezone(UTC)


_Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Count = Annotated[int, Field(ge=0, le=1_000_000)]
_Need = Annotated[int, Field(ge=0)]  # before any bounds: a huge backlog may need any number


class _Member(_Input):
    id: str
    state: str
    running_since: _Instant | None = None


class _Pool(_Input):
    size: _Count
    active: _Count
    state: str
    instances: list[_Member] | None = None


class _Reading(_Input):
    value: Any = None
    at: _Instant | None = None
    samples: _Count | None = None
    instances: dict[str, Any] | None = None
    history: list[tuple[_Instant, Any, _Count | None]] = []
    error: str | None = None


class _Blocked(_Input):
    scale_out_until: _Instant | None = None
    writes_until: _Instant | None = None
    code: str = ""


class _Guard(_Input):
    min: _Count | None = None
    max: _Count | None = None
    removable: _Count | None = None


class _LastWrite(_Input):
    to: _Count
    at: _Instant


class _Observation(_Input):
    now: _Instant
    pool: _Pool | None = None
    problem: Literal["missing", "forbidden", "unknown"] | None = None
    metrics: dict[str, _Reading] = {}
    blocked: _Blocked | None = None
    guard: _Guard | None = None
    last_write: _LastWrite | None = None
    elapsed: float | None = Field(None, ge=0, le=1e10, allow_inf_nan=False)


class _Memory(_Input):
    version: Literal[1]
    at: _Instant | None = None
    policies: str = ""
    needs: list[tuple[_Instant, _Instant, _Need]] = []
    counts: list[tuple[_Instant, _Count]] = []
    size: _Count | None = None
    change: Literal["out", "in"] | None = None
    changed_at: _Instant | None = None
    changing: _Count = 0
    settled_at: _Instant | None = None
    settled_out_at: _Instant | None = None
    busy_since: _Instant | None = None
    mode: str | None = None
    reentering: bool = False


def _checked(model: type[_Model], obj: object, what: str) -> _Model:
    try:
        return model.model_validate(obj)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"]) or "top level"
        raise ValueError(f"{what}: {path}: {first['msg']}") from None


def observation_from_json(obj: object) -> Observation:
    """Read an observation. Raises ValueError with one sentence that names the place."""
    seen = _checked(_Observation, obj, "input")
    problem, guard, write = seen.problem, seen.guard, seen.last_write
    if seen.pool is None and problem is None:
        problem = "unknown"
    return Observation(
        now=seen.now,
        pool=_pool(seen.pool),
        problem=problem,
        metrics={name: _reading(reading) for name, reading in seen.metrics.items()},
        blocked=_blocked(seen.blocked),
        guard=None if guard is None else Guard(guard.min, guard.max, guard.removable),
        last_write=None if write is None else LastWrite(write.to, write.at),
        elapsed=seen.elapsed,
    )


def _blocked(block: _Blocked | None) -> Blocked | None:
    if block is None:
        return None
    return Blocked(block.scale_out_until, block.writes_until, block.code)


def _pool(pool: _Pool | None) -> PoolState | None:
    if pool is None:
        return None
    members = (
        None
        if pool.instances is None
        else tuple(Member(m.id, m.state, m.running_since) for m in pool.instances)
    )
    return PoolState(pool.size, pool.active, pool.state, members)


def _reading(reading: _Reading) -> Reading:
    return Reading(
        value=reading.value,
        at=reading.at,
        samples=reading.samples,
        instances=reading.instances,
        history=tuple(reading.history),
        error=reading.error,
    )


def memory_from_json(obj: object) -> Memory:
    """Read a memory. Raises ValueError when it is not one; the caller then starts without."""
    kept = _checked(_Memory, obj, "memory")
    return Memory(
        at=kept.at,
        policies=kept.policies,
        needs=tuple(NeedRun(*run) for run in kept.needs),
        counts=tuple(kept.counts),
        size=kept.size,
        change=kept.change,
        changed_at=kept.changed_at,
        changing=kept.changing,
        settled_at=kept.settled_at,
        settled_out_at=kept.settled_out_at,
        busy_since=kept.busy_since,
        mode=kept.mode,
        reentering=kept.reentering,
    )
