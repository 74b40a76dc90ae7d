"""Plots as SVG or PNG. Matplotlib is the extra `plot` and is loaded when something is drawn.

Colours are the Okabe-Ito palette, told apart with every kind of colour vision; lines differ in
width or dash as well. The same data give the same file, byte for byte, as SVG.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from poolkeeper.inputs import Failure, check_plot_path
from shared.preview import Change, clock_changes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
GREY = "#666666"
"""Okabe & Ito, Color Universal Design (2008)."""

_STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.dpi": 110,
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "poolkeeper",
}


def new_figure(
    rows: int, size: tuple[float, float], **keywords: Any
) -> tuple["Figure", list["Axes"]]:
    """A figure with `rows` axes below each other. Raises Failure without matplotlib."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 # heavy, and an optional extra
        from matplotlib.figure import Figure  # noqa: PLC0415 # the same
    except ModuleNotFoundError:
        raise Failure(
            "--plot needs matplotlib: install it with pip install 'poolkeeper[plot]'"
        ) from None
    mpl.rcParams.update(_STYLE)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, 1, squeeze=False, **keywords)
    return figure, [row[0] for row in axes]


def save(figure: "Figure", path: Path) -> None:
    """Write the figure; the ending decides about the format. Raises Failure."""
    check_plot_path(path)
    suffix = path.suffix.lower()
    try:
        figure.savefig(
            path, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None
        )
    except OSError as error:
        raise Failure(f"--plot: {path}: {error.strerror}") from None
    click.echo(f"Wrote {path}.", err=True)


def time_axis(axes: "Axes", zone: str) -> None:
    """Label the time axis in a zone, as densely as there is room."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415 # optional extra

    region = ZoneInfo(zone)
    locator: Any = AutoDateLocator(tz=region, minticks=4, maxticks=9)  # type: ignore[no-untyped-call] # matplotlib's dates are not typed
    axes.xaxis.set_major_locator(locator)
    formatter: Any = ConciseDateFormatter(locator, tz=region)  # type: ignore[no-untyped-call] # the same
    axes.xaxis.set_major_formatter(formatter)


def plot_preview(
    found: Mapping[str, Sequence[Change]], span: tuple[datetime, datetime], path: Path
) -> None:
    """Floor and ceiling of each pool over local time, clock changes marked."""
    if not found:
        raise Failure("--plot: the file has no pools, so there is nothing to draw")
    if len(found) > 20:
        raise Failure(
            f"--plot: {len(found)} pools are too many for one picture: name one by --pool"
        )
    figure, rows = new_figure(len(found), (9.5, 0.7 + 2.3 * len(found)))
    for axes, (name, entries) in zip(rows, found.items(), strict=True):
        _bounds(axes, entries, span)
        axes.set_title(name)
    rows[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4)
    save(figure, path)


def _bounds(axes: "Axes", entries: Sequence[Change], span: tuple[datetime, datetime]) -> None:
    start, end = span
    zone = entries[0].zone
    times: list[Any] = [*(entry.at for entry in entries), end]
    floors = [entry.bounds.floor for entry in entries]
    ceilings = [entry.bounds.ceiling for entry in entries]
    floors, ceilings = [*floors, floors[-1]], [*ceilings, ceilings[-1]]
    axes.fill_between(times, floors, ceilings, step="post", color=BLUE, alpha=0.12, linewidth=0)
    axes.step(
        times, ceilings, where="post", color=ORANGE, linewidth=1.6, linestyle="--", label="ceiling"
    )
    axes.step(times, floors, where="post", color=BLUE, linewidth=2.2, label="floor")
    for index, turn in enumerate(clock_changes(zone, start, end)):
        label = "clocks change" if index == 0 else None
        at: Any = turn.at
        axes.axvline(at, color=VERMILION, linewidth=1.2, linestyle=":", label=label)
        hours = turn.by / timedelta(hours=1)
        axes.annotate(
            f"{hours:+g} h",
            (at, max(ceilings)),
            color=VERMILION,
            xytext=(4, 2),
            textcoords="offset points",
        )
    axes.set_ylim(0, max(ceilings) * 1.15 + 0.5)
    axes.set_xlim(*_any(start, end))
    axes.set_ylabel("instances")
    axes.set_xlabel(zone)
    time_axis(axes, zone)


def _any(*values: Any) -> tuple[Any, ...]:
    """Matplotlib's stubs know floats only, its converters know datetimes."""
    return values
