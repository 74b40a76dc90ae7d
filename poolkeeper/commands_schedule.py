"""`poolkeeper schedule preview`: what the schedules of a file will do, edge by edge."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poolkeeper.cli import LazyGroup
from poolkeeper.inputs import (
    Failure,
    check_plot_path,
    instant,
    plan_of,
    prints_json,
    read_config,
)
from shared.engine.wording import span
from shared.preview import Change, ClockChange, change_to_json, changes, clock_changes

LONGEST = timedelta(days=3660)

_MINUTE = "%a %Y-%m-%d %H:%M"


_EDIT = "poolkeeper.commands_schedule_edit"
EDITS = {
    "add": (f"{_EDIT}:add", "Add one to a node's configuration.", "central"),
    "suspend": (f"{_EDIT}:suspend", "Let one not apply for now.", "central"),
    "resume": (f"{_EDIT}:resume", "Let it apply again.", "central"),
    "remove": (f"{_EDIT}:remove", "Take one out.", "central"),
}


EPILOG = """\b
Examples:
  poolkeeper schedule preview --config config.yaml --from 2026-03-27 --to 2026-03-31
  poolkeeper schedule add web-1 sale --start 08:00 --end 20:00 --target 10 --days sat,sun
  poolkeeper schedule suspend web-1 office-hours
"""


@click.group(cls=LazyGroup, lazy=EDITS, epilog=EPILOG)
def schedule() -> None:
    """Schedules: see beforehand what they will do; add, suspend, resume."""


@schedule.command()
@click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The YAML configuration.",
)
@click.option("--pool", help="Only this pool; all of them unless given.")
@click.option("--from", "since", required=True, help="ISO 8601; without an offset: local time.")
@click.option("--to", "until", required=True, help="ISO 8601; changes at this instant included.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw it: FILE.svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="JSON also on a terminal.")
def preview(
    config_path: Path, pool: str | None, since: str, until: str, plot: Path | None, *, as_json: bool
) -> None:
    """List every change of bounds in UTC and local time.

    The first entry of a pool is its state at --from. Changes of the local clocks are marked.
    Limits, schedules and overrides of the file take part; a node's guard is not known here.
    """
    config = read_config(config_path)
    start = instant(since, config.timezone, "--from")
    end = instant(until, config.timezone, "--to")
    if end <= start:
        raise Failure(f"--to ({until}) must be later than --from ({since})")
    if end - start > LONGEST:
        raise Failure("--from and --to are more than ten years apart: preview a shorter time")
    if plot is not None:
        check_plot_path(plot)
    if pool is not None:
        plan_of(config, pool)
    names = [pool] if pool is not None else [each.name for each in config.pools]
    found = {name: list(changes(config, name, start, end)) for name in names}
    if plot is not None:
        from poolkeeper.plots import plot_preview  # noqa: PLC0415 # matplotlib is heavy and optional

        plot_preview(found, (start, end), plot)
    if prints_json(asked=as_json):
        entries = [change_to_json(change) for entry in found.values() for change in entry]
        click.echo(json.dumps(sorted(entries, key=lambda entry: entry["at"])))
    else:
        _show(found, start, end)


def _show(found: dict[str, list[Change]], start: datetime, end: datetime) -> None:
    console = Console(highlight=False)
    if not found:
        console.print("The file has no pools.")
    for name, entries in found.items():
        zone = entries[0].zone
        table = Table("UTC", zone, "floor", "ceiling", "because of", box=SIMPLE_HEAD)
        rows: list[Change | ClockChange] = [*entries, *clock_changes(zone, start, end)]
        for row in sorted(rows, key=lambda row: (row.at, isinstance(row, Change))):
            if isinstance(row, Change):
                _add_change(table, row)
            else:
                text = f"clocks go {row.direction} {span(abs(row.by))}"
                table.add_row(f"{row.at:{_MINUTE}}", Text(text, style="bold yellow"))
        console.print(Text(name, style="bold"))
        console.print(table)


def _add_change(table: Table, change: Change) -> None:
    bounds = change.bounds
    causes = [*bounds.schedules]
    if bounds.override is not None:
        causes = [f"override: {bounds.override}"]
    table.add_row(
        f"{change.at:{_MINUTE}}",
        f"{change.local:%a %m-%d %H:%M %Z}",
        str(bounds.floor),
        str(bounds.ceiling),
        Text(", ".join(causes) or "limits"),
    )
