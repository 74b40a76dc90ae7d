"""A replay as a drawing: demand as an area, the sizes of what is compared as steps. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.wire_review import ReplayReport

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 840.0, 220.0, 34.0, 10.0, 24.0
LABELS = 7


@dataclass(frozen=True, slots=True)
class ReplayDrawing:
    """Shapes in units of the view box.

    Attributes:
        demand: polygon of the instances that demand would have filled at the line.
        recorded: polyline of the sizes that were.
        current: polyline of the active configuration's sizes; empty without it.
        proposed: the same of the new configuration.
        levels: (y, instances) of the scale.
        times: (x, label) in UTC.
    """

    demand: str
    recorded: str
    current: str
    proposed: str
    levels: tuple[tuple[float, int], ...]
    times: tuple[tuple[float, str], ...]


def drawing(report: ReplayReport) -> ReplayDrawing:
    """Lay a report's curves on one scale."""
    runs = [run for run in (report.current, report.proposed) if run is not None]
    needed = [(at, value / report.line) for at, value in report.demand]
    sizes = [run.largest_size for run in runs]
    top = max(1.0, report.recorded.largest_size, *sizes, *(value for _, value in needed))
    scale = _Scale(report.start, report.end, top)
    curves = [scale.steps([(at, size) for at, size, _ in run.size_curve]) for run in runs]
    floor = HEIGHT - BOTTOM
    return ReplayDrawing(
        demand=f"{LEFT:g},{floor:g} {scale.steps(needed)} {WIDTH:g},{floor:g}",
        recorded=scale.steps(report.recorded.size_curve),
        current=curves[0] if report.current is not None else "",
        proposed=curves[-1] if report.proposed is not None else "",
        levels=tuple((scale.y(count), count) for count in sorted({0, int(top) // 2, int(top)})),
        times=tuple(scale.labels()),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime
    top: float

    def x(self, at: datetime) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(LEFT + (WIDTH - LEFT) * min(1.0, max(0.0, share)), 1)

    def y(self, count: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * count / self.top, 1)

    def steps(self, points: Sequence[tuple[datetime, float]]) -> str:
        """A line that keeps each value until the next one."""
        drawn: list[str] = []
        last: float | None = None
        for at, value in points:
            x, y = self.x(at), self.y(value)
            if last is not None:
                drawn.append(f"{x:g},{last:g}")
            drawn.append(f"{x:g},{y:g}")
            last = y
        if last is not None:
            drawn.append(f"{WIDTH:g},{last:g}")
        return " ".join(drawn)

    def labels(self) -> list[tuple[float, str]]:
        """Moments in equal parts; days where the whole is longer than two of them."""
        length = self.end - self.start
        form = "%a %d" if length > timedelta(days=2) else "%H:%M"
        moments = [self.start + length * part / LABELS for part in range(1, LABELS)]
        return [(self.x(at), f"{at:{form}}") for at in moments]
