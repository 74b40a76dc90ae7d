"""The picture of a replay: demand against what served it, sizes, and time under target.

A long replay has more steps than a picture has pixels. It is drawn in bins: demand as the range
and mean of each bin, sizes as means, and a bin is marked when any of its steps was under target.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolkeeper.plots import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    new_figure,
    save,
    time_axis,
)
from shared.replay.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = ((BLUE, "-", 1.8), (ORANGE, "--", 1.5), (GREEN, "-.", 1.5), (PURPLE, ":", 1.8))

_BINS = 600


@dataclass(frozen=True, slots=True)
class _Bins:
    """How the steps of a run are laid together: `width` steps in each bin, the last may be less."""

    run: Run
    width: int

    @classmethod
    def of(cls, run: Run) -> "_Bins":
        return cls(run, max(1, -(-len(run.sizes) // _BINS)))

    def times(self) -> Any:
        trace = self.run.trace
        return [trace.start + at * trace.step for at in self._starts()]

    def each(self, values: Sequence[float]) -> Iterable[Sequence[float]]:
        return (values[at : at + self.width] for at in self._starts())

    def means(self, values: Sequence[float]) -> list[float]:
        return [sum(part) / len(part) for part in self.each(values)]

    def _starts(self) -> range:
        return range(0, len(self.run.sizes), self.width)


def plot_replay(runs: Mapping[str, Run], path: Path) -> None:
    """Draw demand and capacity, the sizes, and how time under target adds up."""
    figure, rows = new_figure(3, (10, 8), sharex=True, height_ratios=[3, 2, 2])
    name, ours = next(iter(runs.items()))
    _demand(rows[0], name, ours)
    styles = [_LINES[index % len(_LINES)] for index in range(len(runs))]
    for (each, run), (colour, dash, width) in zip(runs.items(), styles, strict=True):
        style: Any = {"color": colour, "linestyle": dash, "linewidth": width, "label": each}
        bins = _Bins.of(run)
        rows[1].step(bins.times(), bins.means(run.sizes), where="post", **style)
        minutes = run.trace.step.total_seconds() / 60
        total = accumulate(sum(part) * minutes for part in bins.each(_shortfalls(run)))
        rows[2].plot(bins.times(), list(total), **style)
    _label(rows[1], "Size of the pool", "instances")
    _label(rows[2], "Time under target, added up", "minutes")
    time_axis(rows[2], "UTC")
    rows[2].set_xlabel("UTC")
    save(figure, path)


def _shortfalls(run: Run) -> list[int]:
    needed = (run.world.needed(value) for value in run.trace.demand)
    return [int(need > served) for need, served in zip(needed, run.running, strict=True)]


def _demand(axes: "Axes", name: str, run: Run) -> None:
    """Demand as an area, what the running instances serve at the line, and where that failed."""
    bins, world = _Bins.of(run), run.world
    times, demand = bins.times(), run.trace.demand
    lows, highs = [min(p) for p in bins.each(demand)], [max(p) for p in bins.each(demand)]
    if bins.width > 1:
        axes.fill_between(
            times, lows, highs, step="post", color=GREY, alpha=0.25, lw=0, label="demand, range"
        )
    axes.step(times, bins.means(demand), where="post", color=GREY, linewidth=1, label="demand")
    capacity = [count * world.capacity * world.line for count in run.running]
    text = f"{name}: served at {100 * world.line:g} %"
    axes.step(times, bins.means(capacity), where="post", color=BLUE, linewidth=1.6, label=text)
    short = [any(part) for part in bins.each(_shortfalls(run))]
    marks: Any = [at for at, missed in zip(times, short, strict=True) if missed]
    axes.plot(
        marks,
        [0.985] * len(marks),
        "|",
        color=VERMILION,
        markersize=7,
        transform=axes.get_xaxis_transform(),
        label="under target",
    )
    _label(axes, "Demand", "demand")
    axes.set_ylim(0, 1.1 * max(*highs, *bins.means(capacity)) or 1)


def _label(axes: "Axes", title: str, unit: str) -> None:
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)
