"""`poolkeeper replay`: drive the engine over recorded demand, beside other scalers."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poolkeeper.contenders import Contender, DurationType, from_config, opponent
from poolkeeper.inputs import (
    Failure,
    check_plot_path,
    plan_of,
    prints_json,
    read_config,
    read_text,
)
from shared.config.models import Config, Limits
from shared.engine.wording import span
from shared.replay.curves import size_curve
from shared.replay.pool import LINE, World
from shared.replay.run import Run
from shared.replay.run import replay as replay_over
from shared.replay.score import Score, score, score_to_json
from shared.replay.trace import Trace, read_trace


class _Options(TypedDict):
    config_path: Path
    pool: str
    trace_path: Path
    capacity: float
    boot: timedelta
    lag: timedelta
    step: timedelta
    line: float
    start_size: int | None
    against: tuple[str, ...]
    plot: Path | None
    as_json: bool


@click.command()
@click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The YAML configuration.",
)
@click.option("--pool", required=True, help="The pool's name in it.")
@click.option(
    "--trace",
    "trace_path",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV timestamp,value: demand, at any interval; - reads standard input.",
)
@click.option(
    "--capacity",
    required=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Demand that one instance serves at 100 %, in the trace's unit.",
)
@click.option("--boot", type=DurationType(), default="3m", show_default=True, help="Boot time.")
@click.option("--lag", type=DurationType(), default="2m", show_default=True, help="Metric lag.")
@click.option("--step", type=DurationType(), default="1m", show_default=True, help="One tick.")
@click.option(
    "--line",
    type=click.FloatRange(min=0, min_open=True, max=1),
    default=LINE,
    show_default=True,
    help="Utilisation above which the pool is under target.",
)
@click.option(
    "--start-size",
    type=click.IntRange(min=0, max=100_000),
    help="What the first demand needs, unless given.",
)
@click.option(
    "--against",
    multiple=True,
    help="native, hpa (settings as native:above=75,below=40,add=2 or hpa:target=70) or OTHER.yaml.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw it: FILE.svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="JSON also on a terminal.")
def replay(**options: Unpack[_Options]) -> None:
    """Drive a pool's policies over recorded demand, through the very engine of the agent.

    Policies in per cent see demand / (capacity × running), capped at 100; per_instance ones the
    demand itself; others are skipped and named. Schedules and limits take part, overrides do not,
    and the pool's mode is taken as active. Instances cost from when they are asked for.
    """
    if options["plot"] is not None:
        check_plot_path(options["plot"])
    config, trace = read_config(options["config_path"]), _trace(options)
    limits = plan_of(config, options["pool"]).pool.limits
    world = World(options["capacity"], options["boot"], options["lag"], options["line"])
    contenders = _contenders(config, options, trace, world)
    start_size = _start_size(options["start_size"], limits, trace, world)
    runs = [replay_over(trace, world, each.scaler, start_size) for each in contenders]
    scores = [score(run) for run in runs]
    if options["plot"] is not None:
        from poolkeeper.plot_replay import plot_replay  # noqa: PLC0415 # heavy and optional

        named = {each.name: run for each, run in zip(contenders, runs, strict=True)}
        plot_replay(named, options["plot"])
    if prints_json(asked=options["as_json"]):
        columns = list(zip(contenders, runs, scores, strict=True))
        report = _report(options["pool"], trace, world, start_size)
        report |= _column(*columns[0])
        report["against"] = [{"name": each[0].name} | _column(*each) for each in columns[1:]]
        click.echo(json.dumps(report, allow_nan=False))
    else:
        _show(options["pool"], trace, contenders, scores)


def _trace(options: _Options) -> Trace:
    step = options["step"]
    if step <= timedelta(0) or timedelta(minutes=1) % step:
        raise Failure("--step must divide a minute, such as 1m, 30s or 15s")
    try:
        return read_trace(read_text(options["trace_path"]), step)
    except ValueError as error:
        raise Failure(f"{options['trace_path']}: {error}") from None


def _contenders(config: Config, options: _Options, trace: Trace, world: World) -> list[Contender]:
    plan = plan_of(config, options["pool"])
    ours = from_config("poolkeeper", config, options["pool"], trace, world.lag)
    others = [opponent(text, plan, trace, world) for text in options["against"]]
    for each in (ours, *others):
        if each.skipped:
            names = ", ".join(each.skipped)
            click.echo(f"Skipped in {each.name}: {names} (no function of demand).", err=True)
    return [ours, *others]


def _start_size(asked: int | None, limits: Limits, trace: Trace, world: World) -> int:
    needed = world.needed(trace.demand[0]) if asked is None else asked
    return max(limits.min, min(needed, limits.max))


def _instant(at: Any) -> str:
    return str(at.isoformat()).replace("+00:00", "Z")


def _report(pool: str, trace: Trace, world: World, start_size: int) -> dict[str, Any]:
    return {
        "pool": pool,
        "trace": {
            "from": _instant(trace.start),
            "to": _instant(trace.end),
            "steps": len(trace.demand),
            "step_seconds": trace.step.total_seconds(),
            "interval_seconds": trace.interval.total_seconds(),
            "steps_filled_in_gaps": trace.filled,
        },
        "world": {
            "capacity": world.capacity,
            "boot_seconds": world.boot.total_seconds(),
            "lag_seconds": world.lag.total_seconds(),
            "line": world.line,
            "start_size": start_size,
        },
    }


def _column(contender: Contender, run: Run, scored: Score) -> dict[str, Any]:
    moves = [
        {"at": _instant(m.at), "from": m.before, "to": m.to, "code": m.code, "text": m.text}
        for m in run.resizes
    ]
    return {
        **score_to_json(scored),
        "settings": contender.settings,
        "skipped": list(contender.skipped),
        "size_curve": [[_instant(at), *state] for at, *state in size_curve(run)],
        "resize_events": moves,
    }


_ROWS: tuple[tuple[str, Callable[[Score], str]], ...] = (
    ("instance-hours", lambda s: f"{s.instance_hours:,.1f}"),
    ("… needed by a clairvoyant", lambda s: f"{s.needed_hours:,.1f}"),
    ("minutes under target", lambda s: f"{s.minutes_under_target:,.0f}"),
    ("share of time under target", lambda s: f"{100 * s.share_under_target:.2f} %"),
    ("minutes saturated", lambda s: f"{s.minutes_saturated:,.0f}"),
    ("instance-hours beyond need", lambda s: f"{s.over_provisioned_hours:,.1f}"),
    ("mean utilisation", lambda s: f"{s.mean_utilisation:.1f} %"),
    ("resizes out / in", lambda s: f"{s.resizes_out} / {s.resizes_in}"),
    ("largest size", lambda s: f"{s.largest}"),
    ("accuracy under (SPEC θU)", lambda s: f"{s.accuracy_under:.2f} %"),
    ("accuracy over (SPEC θO)", lambda s: f"{s.accuracy_over:.2f} %"),
    ("time share under (SPEC τU)", lambda s: f"{s.time_share_under:.2f} %"),
    ("time share over (SPEC τO)", lambda s: f"{s.time_share_over:.2f} %"),
)


def _show(pool: str, trace: Trace, contenders: list[Contender], scores: list[Score]) -> None:
    console = Console(highlight=False)
    length = span(trace.end - trace.start)
    points = span(trace.interval)
    title = f"{pool}: {length} from {trace.start:%Y-%m-%d %H:%M}Z, a point every {points}"
    console.print(Text(title, style="bold"))
    if trace.filled:
        console.print(Text(f"{trace.filled} steps lie in gaps and were interpolated.", "yellow"))
    table = Table("", box=SIMPLE_HEAD)
    for each in contenders:
        table.add_column(Text(each.name), justify="right")
    for label, cell in _ROWS:
        table.add_row(label, *(cell(scored) for scored in scores))
    console.print(table)
