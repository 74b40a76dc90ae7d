"""Replays a configuration over a pool's own recorded history, beside the active one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from central.deps import Deps
from central.errors import ApiError
from central.reviews import database_now, loadable, usable
from central.store import charts, configs, history, nodes
from shared.config.models import Config, Pool
from shared.engine.wording import span
from shared.replay.curves import demand_curve, size_curve
from shared.replay.pool import LINE, World
from shared.replay.recorded import Recorded, Rerun, approximated, demand_of, rerun
from shared.replay.trace import Trace
from shared.wire_review import RecordedRun, ReplayedResize, ReplayedRun, ReplayReport

LONGEST = timedelta(days=14)
USUAL = timedelta(days=1)
FINE, COARSE = 60, 300  # seconds of a step of history: minutes for a day, roll-ups for more
FINE_UNTIL = timedelta(hours=25)
PLOTTED = 288
BUSY = 99.5  # per cent; from there on more may have been asked for than was served


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to replay: `source` is the proposed text, None for the active configuration alone.

    `pool` is a name in the proposed text (or the active one); without it, the only pool.
    """

    node: str
    source: bytes | None = None
    pool: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def last(cls, node: str, text: str, pool: str | None, days: int, now: datetime) -> "Wanted":
        """The last so many days; without a text the active configuration alone."""
        source = text.encode() or None
        return cls(node, source, pool, now - timedelta(days=min(max(0, days), 1000)), now)


@dataclass(frozen=True, slots=True)
class _Scene:
    """A pool, the configurations to compare, and what was recorded."""

    pool: Pool
    current: tuple[Config, str, str] | None  # with the pool's name in it, and the hash
    proposed: tuple[Config, str, str] | None
    width: timedelta
    points: list[Recorded]
    between: tuple[datetime, datetime]


def replay_config(deps: Deps, wanted: Wanted) -> ReplayReport:
    """Compare what a proposed and the active configuration would have done with what happened.

    Raises:
        ApiError: 404 unknown node or pool; 409 no history; 422 a text or a time that cannot be
            replayed, or one that takes too long; 503 while others replay.
    """
    document = None if wanted.source is None else usable(wanted.source)
    with deps.engine.connect() as connection:
        active = configs.active_or_none(connection, nodes.id_of(connection, wanted.node))
        current = None if active is None else loadable(active["yaml_config"])
        base = document.config if document is not None else current
        if base is None:
            raise ApiError(404, "no_config", f"Node {wanted.node} has no configuration yet.")
        pool = _pool(base, wanted.pool)
        between = _between(connection, wanted)
        width, points = _history(connection, wanted.node, pool, between)
    scene = _Scene(
        pool,
        None if active is None else _of(current, pool, active["config_hash"]),
        None if document is None else _of(document.config, pool, document.hash),
        width,
        points,
        between,
    )
    with deps.replays.turn() as watch:
        return _report(wanted.node, scene, watch)


def _pool(config: Config, name: str | None) -> Pool:
    if name is None and len(config.pools) == 1:
        return config.pools[0]
    if name is None:
        names = ", ".join(pool.name for pool in config.pools[:10]) or "none"
        raise ApiError(422, "invalid", f"Say which pool to replay: {names}.")
    found = config.pool(name)
    if found is None:
        raise ApiError(404, "not_found", f"There is no pool {name[:100]!r} in the configuration.")
    return found


def _of(config: Config | None, pool: Pool, hashed: str) -> tuple[Config, str, str] | None:
    """A configuration that has the pool, whatever it calls it there."""
    if config is None:
        return None
    same = (each for each in config.pools if each.instance_pool_id == pool.instance_pool_id)
    found = next(same, None)
    return None if found is None else (config, found.name, hashed)


def _between(connection: Connection, wanted: Wanted) -> tuple[datetime, datetime]:
    now = database_now(connection)
    try:
        end = (wanted.end or now).astimezone(UTC)
        start = (wanted.start or end - USUAL).astimezone(UTC)
    except OverflowError as error:  # the years 1 and 9999 in other zones
        raise ApiError(422, "invalid", "These times are out of range.") from error
    if not timedelta(minutes=10) <= end - start <= LONGEST:
        raise ApiError(422, "invalid", f"Replay between 10 minutes and {LONGEST.days} days.")
    return start, end


def _history(
    connection: Connection, node: str, pool: Pool, between: tuple[datetime, datetime]
) -> tuple[timedelta, list[Recorded]]:
    row = history.pool_of(connection, node, pool.instance_pool_id)
    if row is None:
        raise _no_history(pool, "central has never had it")
    start, end = (moment.replace(tzinfo=None) for moment in between)
    step = FINE if end - start <= FINE_UNTIL else COARSE
    used, rows = charts.pool_chart(connection, row["id"], charts.Range(start, end, step))
    return timedelta(seconds=used), [_recorded(point) for point in rows]


def _recorded(point: dict[str, Any]) -> Recorded:
    return Recorded(
        at=point["timestamp"].replace(tzinfo=UTC),
        size=point["current_last"],
        running=float(point["active_avg"]),  # a mean of integers is a Decimal
        cpu=point["cpu_avg"],
    )


def _no_history(pool: Pool, why: str) -> ApiError:
    sentence = f"There is nothing to replay for pool {pool.name}: {why}."
    return ApiError(409, "no_history", sentence)


def _report(node: str, scene: _Scene, watch: Callable[[], None]) -> ReplayReport:
    try:
        trace = demand_of(scene.points, scene.width)
    except ValueError as error:
        raise _no_history(scene.pool, str(error)) from error
    start_size = next(p.size for p in scene.points if p.at + scene.width > trace.start)
    notes = _notes(scene, trace)
    current = _rerun(scene.current, trace, start_size, watch, notes, "the active configuration")
    proposed = _rerun(scene.proposed, trace, start_size, watch, notes, "the new configuration")
    paces = [done.pace for done in (current, proposed) if done is not None]
    world = World(capacity=1.0)
    return ReplayReport(
        node=node,
        pool=scene.pool.name,
        start=trace.start,
        end=trace.end,
        recorded_every_seconds=int(scene.width.total_seconds()),
        decided_every_seconds=int(paces[0].total_seconds()) if paces else 0,
        line=LINE,
        boot_seconds=int(world.boot.total_seconds()),
        lag_seconds=int(world.lag.total_seconds()),
        start_size=start_size,
        demand=demand_curve(trace, PLOTTED),
        recorded=_happened(scene, trace),
        current=_told(current, scene.current),
        proposed=_told(proposed, scene.proposed),
        notes=notes,
    )


def _rerun(
    contender: tuple[Config, str, str] | None,
    trace: Trace,
    start_size: int,
    watch: Callable[[], None],
    notes: list[str],
    what: str,
) -> Rerun | None:
    if contender is None:
        return None
    config, pool, _ = contender
    try:
        done = rerun(config, pool, trace, start_size, watch)
    except ValueError as error:
        notes.append(f"{what} cannot be replayed: {error}")
        return None
    if done.skipped:
        notes.append(f"{what}: skipped {', '.join(done.skipped)} (not recorded as CPU utilisation)")
    near = approximated(config, pool)
    if near:
        notes.append(f"{what}: {', '.join(near)} saw the pool's mean, not single instances")
    return done


def _notes(scene: _Scene, trace: Trace) -> list[str]:
    notes = []
    if scene.current is None:
        notes.append("the active configuration has no such pool")
    wanted = scene.between[1] - scene.between[0]
    if trace.end - trace.start < wanted - 2 * scene.width - timedelta(minutes=10):
        notes.append(f"the history covers {span(trace.end - trace.start)} of {span(wanted)}")
    if trace.filled:
        notes.append(f"{trace.filled} minutes without history were interpolated")
    full = sum(point.cpu is not None and point.cpu >= BUSY for point in scene.points)
    if full:
        minutes = full * scene.width // timedelta(minutes=1)
        notes.append(f"in {minutes} minutes the CPU was full: more may have been asked for")
    if scene.pool.mode != "active":
        notes.append(f"the pool is {scene.pool.mode}; it is replayed as active")
    return notes


def _happened(scene: _Scene, trace: Trace) -> RecordedRun:
    points = [p for p in scene.points if trace.start < p.at + scene.width and p.at < trace.end]
    minutes = scene.width / timedelta(minutes=1)
    curve: list[tuple[datetime, int]] = []
    for point in points:
        if not curve or curve[-1][1] != point.size:
            curve.append((point.at, point.size))
    return RecordedRun(
        instance_hours=round(sum(_hours(points, scene.width)), 2),
        minutes_under_target=minutes * sum((p.cpu or 0.0) > 100 * LINE for p in points),
        resizes=len(curve) - 1 if curve else 0,
        largest_size=max((point.size for point in points), default=0),
        size_curve=curve,
    )


def _hours(points: Sequence[Recorded], width: timedelta) -> list[float]:
    """Instance-hours of each point until the next one, across gaps."""
    hour = timedelta(hours=1)
    lengths = [after.at - before.at for before, after in pairwise(points)] + [width]
    return [p.size * (length / hour) for p, length in zip(points, lengths, strict=bool(points))]


def _told(done: Rerun | None, contender: tuple[Config, str, str] | None) -> ReplayedRun | None:
    if done is None or contender is None:
        return None
    scored = done.score
    return ReplayedRun(
        config_hash=contender[2],
        instance_hours=round(scored.instance_hours, 2),
        minutes_under_target=round(scored.minutes_under_target, 1),
        minutes_saturated=round(scored.minutes_saturated, 1),
        mean_utilisation=round(scored.mean_utilisation, 2),
        resizes_out=scored.resizes_out,
        resizes_in=scored.resizes_in,
        largest_size=scored.largest,
        skipped=list(done.skipped),
        size_curve=size_curve(done.run),
        resizes=[
            ReplayedResize(at=m.at, before=m.before, to=m.to, code=m.code, text=m.text)
            for m in done.run.resizes
        ],
    )
