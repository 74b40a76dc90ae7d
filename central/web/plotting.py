"""A pool over time as columns for a plot: sizes, bounds, demand, utilisation, scaling events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from central.store import charts, events, pool_page
from central.store.records import Page
from central.web import wording
from central.web.past_bounds import ConfigReader, bounds_then
from shared.config.models import Config
from shared.config.policy_models import TargetTracking

MOST_MARKS = 1000
MOST_POLICIES = 5
LONGEST_REASON = 400
ORIGIN = datetime(2000, 1, 1)  # noqa: DTZ001 # steps are counted from here, in bare UTC
Column = list[float | None]


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time that pages offer, and the step in seconds that suits its plot."""

    key: str
    label: str
    length: timedelta
    step: int


SPANS = {
    span.key: span
    for span in (
        Span("1h", "1 hour", timedelta(hours=1), 60),
        Span("6h", "6 hours", timedelta(hours=6), 60),
        Span("24h", "24 hours", timedelta(hours=24), 300),
        Span("7d", "7 days", timedelta(days=7), 900),
        Span("30d", "30 days", timedelta(days=30), 3600),
        Span("90d", "90 days", timedelta(days=90), 3 * 3600),
    )
}
USUAL = "6h"


@dataclass(frozen=True, slots=True)
class Plot:
    """Columns of equal length by name; a step without rows is None in all of them but `at`.

    Attributes:
        step: seconds between two instants of `at`.
        columns: `at` (seconds since 1970), size, running, floor, ceiling, demand, cpu, memory.
        marks: scaling events, oldest first.
        left_out: whether there were more events than a plot takes.
    """

    step: int
    columns: dict[str, Column]
    marks: list[dict[str, Any]]
    left_out: bool

    def as_json(self) -> dict[str, Any]:
        """The plot as the page's script reads it."""
        return {
            "step": self.step,
            "columns": self.columns,
            "marks": self.marks,
            "left_out": self.left_out,
        }


def pool_plot(
    connection: Connection, pool: dict[str, Any], read: ConfigReader, wanted: charts.Range
) -> Plot:
    """The plot of a pool; demand is what today's targets make of the load of each step.

    `read` knows the configuration behind a hash.
    """
    config = read(connection, pool["active_hash"])
    step, rows = charts.pool_chart(connection, pool["id"], wanted)
    points = {row["timestamp"]: row for row in rows}
    limits = pool_page.bounds(connection, pool, list(points), step)
    unknown = sorted(points.keys() - limits.keys())
    limits |= bounds_then(connection, pool, read, unknown, timedelta(seconds=step))
    within = charts.Range(wanted.start, wanted.end, step)
    demand = _demand(connection, pool, config, within, points)
    grid = grid_of(wanted.start, wanted.end, step)
    columns: dict[str, Column] = {
        "at": [_epoch(at) for at in grid],
        "size": _column(points, grid, "current_max"),
        "running": _column(points, grid, "active_last"),
        "floor": [limits.get(at, (None, None))[0] for at in grid],
        "ceiling": [limits.get(at, (None, None))[1] for at in grid],
        "demand": [demand.get(at) for at in grid],
        "cpu": _column(points, grid, "cpu_avg"),
        "memory": _column(points, grid, "memory_avg"),
    }
    page = Page(wanted.start, wanted.end, None, MOST_MARKS + 1)
    found = events.marks(connection, pool["id"], page)
    marks = [_mark(row) for row in reversed(found[:MOST_MARKS])]
    return Plot(step, columns, marks, len(found) > MOST_MARKS)


def _demand(
    connection: Connection,
    pool: dict[str, Any],
    config: Config | None,
    wanted: charts.Range,
    points: Mapping[datetime, Mapping[str, Any]],
) -> dict[datetime, float]:
    """Instances that the busiest target-tracking policy asked for in each step."""
    needs: dict[datetime, float] = {}
    for policy in _targets(config, pool["name"]):
        series = {
            "node": pool["node_id"],
            "pool": pool["id"],
            "metric": f"policy_value:{policy.name}",
        }
        for row in charts.metric_chart(connection, series, wanted)[1]:
            at, value = row["timestamp"], row["value_avg"]
            if value is None or at not in points:
                continue
            carried = 1.0 if policy.per_instance else float(points[at]["active_avg"])
            need = value * carried / float(policy.target) + policy.headroom
            needs[at] = max(needs.get(at, 0.0), round(need, 2))
    return needs


def _targets(config: Config | None, pool: str) -> list[TargetTracking]:
    found = [] if config is None else [one for one in config.pools if one.name == pool]
    policies = [
        policy for one in found for policy in one.policies if isinstance(policy, TargetTracking)
    ]
    return policies[:MOST_POLICIES]


def grid_of(start: datetime, end: datetime, step: int) -> list[datetime]:
    """The start of every step of so many seconds in a range, as the charts bin them."""
    width = timedelta(seconds=step)
    first = start - (start - ORIGIN) % width
    count = -((first - end) // width)
    return [first + number * width for number in range(count)]


def _column(
    points: Mapping[datetime, Mapping[str, Any]], grid: Sequence[datetime], name: str
) -> Column:
    found: Iterable[float | None] = (points[at][name] if at in points else None for at in grid)
    return [round(value, 2) if isinstance(value, float) else value for value in found]


def _mark(row: Mapping[str, Any]) -> dict[str, Any]:
    before, to = pool_page.count(row["before"]), pool_page.count(row["to"])
    made = before is not None and to is not None
    return {
        "id": row["id"],
        "at": _epoch(row["timestamp"]),
        "kind": row["scaling_event"],
        "size": f"{before} → {to}" if made else str(row["current_instances"]),
        "reason": wording.clipped(row["scaling_reason"], LONGEST_REASON),
    }


def _epoch(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()
