"""`poolkeeper agent status`: what the agent that runs on this machine says of itself."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.table import Table

from agent.addresses import DEFAULT_LISTEN

_COLOURS = {"healthy": "green", "warning": "yellow", "error": "red"}
_ADDRESS_FILE = "status.url"


class _NoAnswer(click.ClickException):
    exit_code = 2


@click.command()
@click.option("--url", help="Where it listens; found by its state directory when left out.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole document as JSON.")
def status(url: str | None, *, as_json: bool) -> None:
    """Show the running agent: pools, configuration, central. Exit 1: it is not well."""
    where = url or _address(os.environ)
    try:
        answer = httpx.get(f"{where}/status", timeout=5, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        kind = type(error).__name__
        raise _NoAnswer(f"no agent answers on {where} ({kind}); is it running?") from None
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _show(found, Console())
    sys.exit(0 if found["healthy"] else 1)


def _address(environ: Mapping[str, str]) -> str:
    state = environ.get("POOLKEEPER_STATE_DIR") or environ.get("STATE_DIRECTORY")
    candidates = [Path(state)] if state else []
    candidates.append(Path("/var/lib/poolkeeper-agent"))
    for directory in candidates:
        try:
            return (directory / _ADDRESS_FILE).read_text(encoding="utf-8").strip()
        except OSError:
            continue
    return f"http://{DEFAULT_LISTEN}"


def _show(found: Mapping[str, Any], console: Console) -> None:
    config, central, outbox = found["configuration"], found["central"], found["outbox"]
    console.print(f"agent {found['version']}: {found['health']}, last tick {found['last_tick_at']}")
    console.print(
        f"configuration {str(config.get('running_hash'))[:12]}"
        f" (generation {config.get('generation')}): {config.get('status')}"
    )
    if config.get("error"):
        console.print(f"  refused: {config['error']}", markup=False)
    if central is not None:
        told = central["error"] or f"answered {central['answered_at']}"
        console.print(f"central {central['url']}: {told}", markup=False)
        if central.get("duplicate"):
            console.print("trouble: another live agent uses this node's key", style="red")
    console.print(f"outbox: {outbox['waiting']} waiting, {outbox['dropped']} dropped")
    for trouble in found["troubles"]:
        console.print(f"trouble: {trouble}", style="red", markup=False)
    console.print(_table(found["pools"]))


def _table(pools: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("POOL", "SIZE", "RUNNING", "WANTED", "BOUNDS", "CPU", "STATUS", "WHY"):
        table.add_column(heading)
    for pool in pools:
        bounds = f"{pool['bounds']['floor']}–{pool['bounds']['ceiling']}"
        cpu = "?" if pool["cpu_percent"] is None else f"{pool['cpu_percent']:.0f} %"
        colour = _COLOURS[pool["status"]]
        table.add_row(
            pool["name"],
            str(pool["size"]),
            str(pool["running"]),
            str(pool["wanted"]),
            bounds,
            cpu,
            f"[{colour}]{pool['status']}[/{colour}]",
            pool["restraint"] or pool["reason"],
        )
    return table
