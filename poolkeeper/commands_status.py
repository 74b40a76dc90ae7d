"""`poolkeeper status`: the fleet at a glance, what is wrong first."""

import json

import click
from rich.console import Console
from rich.table import Table

from poolkeeper.commands_node import config_state, every_node, is_behind, status_words
from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences
from shared.wire_operator import NodeView, PoolView

_URGENCY = {"OFFLINE": 0, "ERROR": 1, "INACTIVE": 2, "ACTIVE": 3}


@click.command()
@CENTRAL
@JSON
def status(url: str | None, as_json: bool) -> None:
    """Nodes and pools with what is wrong first; exit status 1 when something is."""
    with errors_as_sentences():
        client = connect(url)
        nodes = sorted(every_node(client), key=_urgency)
        every = client.ask(list[PoolView], "GET", "/v1/pools")
    pools = [one for one in every if one.retired_at is None]
    sick = [one for one in pools if one.status != "healthy"]
    wrong = [one for one in nodes if _is_wrong(one)]
    if as_json:
        found = {
            "nodes": [one.model_dump(mode="json") for one in nodes],
            "pools": [one.model_dump(mode="json") for one in every],
            "wrong": [one.name for one in wrong] + [f"{one.node}/{one.name}" for one in sick],
        }
        click.echo(json.dumps(found))
    else:
        _print(nodes, pools, sick)
    raise SystemExit(1 if wrong or sick else 0)


def _urgency(one: NodeView) -> tuple[bool, int, str]:
    return not _is_wrong(one), _URGENCY[one.status], one.name


def _is_wrong(one: NodeView) -> bool:
    refused = one.active_hash is not None and one.failed_hash == one.active_hash
    sick = one.status in {"OFFLINE", "ERROR"}
    return sick or refused or is_behind(one) or one.duplicate_since is not None


def _print(nodes: list[NodeView], pools: list[PoolView], sick: list[PoolView]) -> None:
    console = Console()
    size = sum(one.current_instances or 0 for one in pools if one.last_analytics_at is not None)
    active = sum(one.status == "ACTIVE" for one in nodes)
    console.print(f"{active} of {len(nodes)} nodes active, {len(pools)} pools, {size} instances")
    table = Table("NODE", "REGION", "STATUS", "POOLS", "CONFIG", box=None)
    for one in nodes:
        style = "red" if _is_wrong(one) else ""
        row = (one.name, one.region, status_words(one), str(one.pools), config_state(one))
        table.add_row(*row, style=style)
    console.print(table)
    for bad in sick:
        console.print(f"pool {bad.node}/{bad.name}: {bad.status}", style="yellow")
