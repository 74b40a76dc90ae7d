"""Charts: a time range in equal steps, from the coarsest history that is fine enough."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from central.errors import ApiError
from central.history.rollup_sql import BY_TABLE

STEPS = (60, 300, 900, 3600, 6 * 3600, 24 * 3600)  # seconds, from which a chart takes its own
FINE, COARSE = 300, 3600
USUAL_POINTS = 500
MOST_POINTS = 5000
_KEPT = """
SELECT now()::timestamp - make_interval(days => days) FROM retention_policy
WHERE kind = :kind
"""


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` to before `end`; `step` in seconds, or what suits the length."""

    start: datetime
    end: datetime
    step: int | None = None


def step_of(wanted: Range, finest: int) -> int:
    """The step of a chart in seconds: as asked, but not finer than the history that remains.

    Raises:
        ApiError: 422 when it would have more than 5,000 points.
    """
    length = (wanted.end - wanted.start) / timedelta(seconds=1)
    suitable = next((step for step in STEPS if length / step <= USUAL_POINTS), STEPS[-1])
    step = max(wanted.step or suitable, finest)
    if length / step > MOST_POINTS:
        raise ApiError(
            422, "invalid", f"This range has more than {MOST_POINTS} steps of {step} seconds."
        )
    return step


def pool_chart(
    connection: Connection, pool_id: int, wanted: Range
) -> tuple[int, list[dict[str, Any]]]:
    """A pool's step in seconds and its points, oldest first; steps without rows are left out."""
    return _chart(connection, "pool_analytics", "r.pool_id = :pool", {"pool": pool_id}, wanted)


def metric_chart(
    connection: Connection, series: dict[str, Any], wanted: Range
) -> tuple[int, list[dict[str, Any]]]:
    """A metric's step and points; `series` has `node`, `pool` (0: of the node) and `metric`."""
    where = "r.node_id = :node AND COALESCE(r.pool_id, 0) = :pool AND r.metric_type = :metric"
    return _chart(connection, "metrics", where, series, wanted)


def _chart(
    connection: Connection, family: str, where: str, values: dict[str, Any], wanted: Range
) -> tuple[int, list[dict[str, Any]]]:
    step = step_of(wanted, _finest(connection, family, wanted.start))
    statement = _statement(family, where, step)
    bounds = {"start": wanted.start, "end": wanted.end, "step": step}
    rows = connection.execute(text(statement), {**values, **bounds}).mappings()
    return step, [dict(row) for row in rows]


def _finest(connection: Connection, family: str, start: datetime) -> int:
    """The finest step in seconds that the retention has left at the start of a range."""
    for kind, step in ((family, 1), (f"{family}_5m", FINE)):
        kept_since = connection.execute(text(_KEPT), {"kind": kind}).scalar()
        if kept_since is not None and start >= kept_since:
            return step
    return COARSE


def _statement(family: str, where: str, step: int) -> str:
    """The statement of a chart; what it is made of are constants, values come as parameters."""
    raw = step < FINE
    source = family if raw else f"{family}_1h" if step % COARSE == 0 else f"{family}_5m"
    values = BY_TABLE[f"{family}_{'5m' if raw else '1h'}"].values
    moment = "r.timestamp" if raw else "r.bucket"
    received = "AND r.received_at >= LEAST(:start, now()::timestamp) - interval '1 day'"
    columns = ", ".join(f"{expression} AS {column}" for column, expression in values)
    return f"""
SELECT date_bin(make_interval(secs => :step), {moment}, TIMESTAMP '2000-01-01') AS timestamp,
       {columns}
FROM {source} r
WHERE {where} AND {moment} >= :start AND {moment} < :end {received if raw else ""}
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 # built of this module's constants
