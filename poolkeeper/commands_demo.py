"""`poolkeeper demo`: the whole thing at work, every step checked in PostgreSQL."""

import json
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import psycopg2
from rich.console import Console
from rich.table import Table

from poolkeeper.demo.evidence import Row
from poolkeeper.demo.processes import DemoError
from poolkeeper.demo.stage import Stage
from poolkeeper.demo.story import STEPS, Story


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running and print the addresses.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--sabotage",
    type=click.Choice(["kill-agent", "refuse-writes"]),
    hidden=True,
    help="Break something once the agent runs: the demo must notice.",
)
def demo(*, keep: bool, as_json: bool, sabotage: str | None) -> None:
    """Play a morning of a pool: load, schedule, limits, an outage; check each in the database.

    Central on an embedded PostgreSQL, a simulated OCI and an agent run as processes on free
    loopback ports, at sixty times real time. Exit status 0 only if every check held.
    """
    console = Console(quiet=as_json)
    directory = Path(tempfile.mkdtemp(prefix="poolkeeper-demo-"))
    directory.chmod(0o711)  # started by root, PostgreSQL runs as an account that must pass through
    stage = Stage(directory, datetime.now(UTC))
    began = time.monotonic()
    findings: list[dict[str, str]] = []
    try:
        failure = _play(stage, console, findings, sabotage)
        _print_history(stage, console)
    except BaseException:
        stage.stop()
        raise
    kept = keep and failure is None
    if kept:
        stage.start_agent()
        _print_addresses(stage, console)
    else:
        stage.stop()
        if failure is None:
            shutil.rmtree(directory, ignore_errors=True)
    seconds = time.monotonic() - began
    if as_json:
        click.echo(
            json.dumps({"failure": failure, "seconds": round(seconds, 1), "steps": findings})
        )
    if failure is not None:
        click.echo(f"The demo failed. {failure} Logs: {directory}", err=True)
        raise SystemExit(1)
    console.print(f"[bold green]All {len(STEPS)} checks held[/] in {seconds:.0f} s.")


def _play(
    stage: Stage, console: Console, findings: list[dict[str, str]], sabotage: str | None
) -> str | None:
    """Play all steps; return the sentence of the one that failed, or None."""
    title = "Starting"
    try:
        console.print("[dim]starting PostgreSQL, central and a simulated OCI …[/]")
        stage.start()
        story = Story(stage)
        for number, step in enumerate(STEPS):
            title = step.title
            if number == 1 and sabotage is not None:
                _break(stage, sabotage)
            found = step.play(story)
            findings.append({"step": title, "found": found})
            console.print(f"[green]✓[/] [bold]{title}[/]: {found}", highlight=False)
    except DemoError as problem:
        console.print(f"[red]✗[/] [bold]{title}[/]: {problem}", highlight=False)
        return f"Check “{title}”: {problem}."
    return None


def _break(stage: Stage, sabotage: str) -> None:
    if sabotage == "kill-agent":
        stage.agent.kill()
    else:
        stage.refuse_writes()


def _print_history(stage: Stage, console: Console) -> None:
    try:
        console.print(_table(stage.evidence.rows()))
    except (OSError, psycopg2.Error) as problem:  # central never got as far, or is gone
        console.print(f"[dim]no history to show: {problem}[/]")


def _table(rows: list[Row]) -> Table:
    """Every change of size and every scaling event, as PostgreSQL has them."""
    table = Table(title="What happened, read from PostgreSQL", title_justify="left")
    for heading in ("time", "size", "running", "reason"):
        table.add_column(heading, justify="right" if heading in {"size", "running"} else "left")
    before: int | None = None
    for row in rows:
        if row.event or row.size != before:
            table.add_row(f"{row.at:%H:%M:%S}", str(row.size), str(row.running), row.reason)
        before = row.size
    return table


def _print_addresses(stage: Stage, console: Console) -> None:
    console.print(f"central    {stage.central_url}")
    console.print(f"simulator  {stage.simulator_url}")
    console.print(f"directory  {stage.directory}")
    pids = " ".join(str(p.pid) for p in (stage.agent, stage.central, stage.simulator))
    console.print(f"stop it    kill {pids}")
