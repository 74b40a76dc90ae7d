"""`poolkeeper status`: the fleet at a glance, what is wrong first, once or again and again."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from poolkeeper.commands_node import config_state, every_node, is_behind, status_words
from poolkeeper.listing import Listing, plain
from poolkeeper.operator_client import (
    CENTRAL,
    JSON,
    OperatorClient,
    OperatorError,
    connect,
    errors_as_sentences,
)
from shared.wire_operator import NodeView, PoolView

_URGENCY = {"OFFLINE": 0, "ERROR": 1, "INACTIVE": 2, "ACTIVE": 3}
EPILOG = """\b
Examples:
  poolkeeper status                    once; exit status 1 when something is wrong
  poolkeeper status --watch            until Ctrl-C
  poolkeeper status --json | jq -r '.wrong[]'
"""


@dataclass(frozen=True, slots=True)
class Glance:
    """Nodes, what is wrong first, and every pool, those that left their YAML too."""

    nodes: Sequence[NodeView]
    every: Sequence[PoolView]

    @property
    def pools(self) -> list[PoolView]:
        """The pools that a configuration names."""
        return [one for one in self.every if one.retired_at is None]

    @property
    def sick(self) -> list[PoolView]:
        """The pools that are not healthy."""
        return [one for one in self.pools if one.status != "healthy"]

    @property
    def wrong(self) -> list[str]:
        """Nodes and pools that somebody should look at."""
        nodes = [one.name for one in self.nodes if _is_wrong(one)]
        return nodes + [f"{one.node}/{one.name}" for one in self.sick]

    def as_json(self) -> str:
        """For scripts."""
        found = {
            "nodes": [one.model_dump(mode="json") for one in self.nodes],
            "pools": [one.model_dump(mode="json") for one in self.every],
            "wrong": self.wrong,
        }
        return json.dumps(found)


@click.command(epilog=EPILOG)
@click.option("--watch", is_flag=True, help="Keep looking until Ctrl-C.")
@click.option(
    "--every",
    "seconds",
    type=click.FloatRange(1, 3600),
    default=5,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
@CENTRAL
@JSON
def status(watch: bool, seconds: float, url: str | None, as_json: bool) -> None:
    """Nodes and pools with what is wrong first; exit status 1 when something is.

    With --watch it stays and keeps itself fresh; with --json as well, a line for every look.
    """
    with errors_as_sentences():
        client = connect(url)
        first = look(client)
        if not watch:
            click.echo(first.as_json()) if as_json else Console().print(view(first))
            raise SystemExit(1 if first.wrong else 0)
        last = keep_looking(first, lambda: look(client), seconds, as_json=as_json)
    raise SystemExit(1 if last.wrong else 0)


def look(client: OperatorClient) -> Glance:
    """Ask central for everything that the glance shows."""
    nodes = sorted(every_node(client), key=_urgency)
    return Glance(nodes, client.ask(list[PoolView], "GET", "/v1/pools"))


def keep_looking(
    first: Glance,
    again: Callable[[], Glance],
    seconds: float,
    *,
    as_json: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Glance:
    """Show glance after glance until Ctrl-C; returns the last one.

    A central that does not answer is told below the last glance, and asked again.

    Raises:
        OperatorError: the session has ended, or its role does not suffice.
    """
    console = Console()
    shown, glance = _screen(console), first
    with shown:
        _show(console, shown, first, None, as_json=as_json)
        while True:
            try:
                sleep(seconds)
                lost = None
                glance = again()
            except KeyboardInterrupt:
                return glance
            except OperatorError as error:
                if error.status in {401, 403}:
                    raise
                lost = str(error)
            _show(console, shown, glance, lost, as_json=as_json)


def view(glance: Glance) -> RenderableType:
    """A line of totals, the table of nodes, and the pools that are not healthy."""
    pools = glance.pools
    size = sum(one.current_instances or 0 for one in pools if one.last_analytics_at is not None)
    active = sum(one.status == "ACTIVE" for one in glance.nodes)
    totals = f"{active} of {len(glance.nodes)} nodes active, {len(pools)} pools, {size} instances"
    nodes = Listing("NODE", "REGION", "STATUS", "POOLS", "CONFIG")
    for one in glance.nodes:
        style = "red" if _is_wrong(one) else ""
        row = (one.name, one.region, status_words(one), str(one.pools), config_state(one))
        nodes.row(*row, style=style)
    sick = (
        Text(plain(f"pool {bad.node}/{bad.name}: {bad.status}"), style="yellow")
        for bad in glance.sick
    )
    return Group(Text(totals), nodes.table, *sick)


def _screen(console: Console) -> Live:
    # what is wrong comes first, so that a long fleet may be cut off at the screen's end
    return Live(console=console, auto_refresh=False, screen=console.is_terminal, transient=True)


def _show(
    console: Console, screen: Live, glance: Glance, lost: str | None, *, as_json: bool
) -> None:
    if as_json:
        click.echo(glance.as_json() if lost is None else json.dumps({"error": lost}))
        return
    parts: list[Any] = [view(glance)]
    if lost is not None:
        parts.insert(0, Text(lost, style="red"))
    parts.insert(0, Text(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, Ctrl-C ends", style="dim"))
    if console.is_terminal:
        screen.update(Group(*parts), refresh=True)
    else:
        console.print(*parts, sep="\n")


def _urgency(one: NodeView) -> tuple[bool, int, str]:
    return not _is_wrong(one), _URGENCY[one.status], one.name


def _is_wrong(one: NodeView) -> bool:
    refused = one.active_hash is not None and one.failed_hash == one.active_hash
    sick = one.status in {"OFFLINE", "ERROR"}
    return sick or refused or is_behind(one) or one.duplicate_since is not None
