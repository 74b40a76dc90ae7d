"""`poolkeeper config replay`: what a configuration would have done with a pool's own past."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poolkeeper.commands_config_remote import FILE, YAML, config_path
from poolkeeper.inputs import prints_json
from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences
from shared.engine.wording import span
from shared.wire_review import ReplayedRun, ReplayReport

EPILOG = """\b
Examples:
  poolkeeper config replay edge-1                            the active configuration, a week
  poolkeeper config replay edge-1 --file new.yaml --days 1   a new one beside it
  poolkeeper config replay edge-1 --file new.yaml --json | jq .proposed.instance_hours
"""


@click.command(epilog=EPILOG)
@click.argument("node")
@click.option("--file", type=FILE, help="A new configuration, to compare with the active one.")
@click.option("--pool", help="The pool's name; needed where there are several.")
@click.option("--days", default=7.0, show_default=True, type=click.FloatRange(0.01, 14))
@CENTRAL
@JSON
def replay(
    node: str, file: Path | None, pool: str | None, days: float, url: str | None, as_json: bool
) -> None:
    """Replay NODE's configuration, or a new one beside it, over a pool's recorded history.

    Demand is read back from the CPU utilisation and the sizes that central has recorded; policies
    on other metrics are skipped and named. Nothing is changed.
    """
    now = datetime.now(UTC)
    params: dict[str, Any] = {"from": (now - timedelta(days=days)).isoformat()}
    params |= {"to": now.isoformat()} | ({} if pool is None else {"pool": pool})
    body = None if file is None else file.read_bytes()
    with errors_as_sentences():
        report = connect(url).ask(
            ReplayReport,
            "POST",
            f"{config_path(node)}/replay",
            params=params,
            content=body,
            headers=YAML,
        )
    if prints_json(asked=as_json):
        click.echo(report.model_dump_json())
    else:
        _show(report)


_ROWS: tuple[tuple[str, Callable[[ReplayReport], str], Callable[[ReplayedRun], str]], ...] = (
    (
        "instance-hours",
        lambda report: f"{report.recorded.instance_hours:,.1f}",
        lambda run: f"{run.instance_hours:,.1f}",
    ),
    (
        "minutes under target",
        lambda report: f"{report.recorded.minutes_under_target:,.0f}",
        lambda run: f"{run.minutes_under_target:,.0f}",
    ),
    (
        "resizes out / in",
        lambda report: f"{report.recorded.resizes} in all",
        lambda run: f"{run.resizes_out} / {run.resizes_in}",
    ),
    (
        "largest size",
        lambda report: f"{report.recorded.largest_size}",
        lambda run: f"{run.largest_size}",
    ),
    ("mean utilisation", lambda _: "", lambda run: f"{run.mean_utilisation:.1f} %"),
)


def _show(report: ReplayReport) -> None:
    console = Console(highlight=False)
    length = span(report.end - report.start)
    title = f"{report.pool} on {report.node}: {length} from {report.start:%Y-%m-%d %H:%M}Z"
    console.print(Text(title, style="bold"))
    runs = [("active", report.current), ("new", report.proposed)]
    columns = [(name, run) for name, run in runs if run is not None]
    table = Table("", box=SIMPLE_HEAD)
    for name in ("as it was", *(name for name, _ in columns)):
        table.add_column(name, justify="right")
    for label, recorded, cell in _ROWS:
        table.add_row(label, recorded(report), *(cell(run) for _, run in columns))
    console.print(table)
    for note in report.notes:
        console.print(Text(f"Note: {note}.", "yellow"))
    pace, line = span(timedelta(seconds=report.decided_every_seconds)), 100 * report.line
    console.print(
        Text(f"Decided every {pace}; under target is a CPU utilisation above {line:.0f} %.", "dim")
    )
