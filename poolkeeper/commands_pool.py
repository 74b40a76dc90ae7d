"""`poolkeeper pool list|show`: what central knows of the pools, and what was decided and why."""

import json
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.table import Table

from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences, segment
from shared.wire_operator import AnalyticsRow, PoolView


@click.group()
def pool() -> None:
    """Pools: their sizes and bounds, and what was decided and why."""


@pool.command("list")
@click.option("--node", help="Only the pools of this node.")
@CENTRAL
@JSON
def list_pools(node: str | None, url: str | None, as_json: bool) -> None:
    """Every pool with its size, limits and status."""
    chosen = {"node": node} if node else {}
    with errors_as_sentences():
        pools = connect(url).ask(list[PoolView], "GET", "/v1/pools", params=chosen)
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in pools]))
        return
    table = Table("NODE", "POOL", "REGION", "SIZE", "MIN", "MAX", "STATUS", box=None)
    for one in pools:
        reported = one.last_analytics_at is not None  # until then, what is stored is a default
        status = "retired" if one.retired_at else one.status if reported else None
        size = one.current_instances if reported else None
        sizes = (size, one.min_instances, one.max_instances)
        shown = ("–" if value is None else str(value) for value in sizes)
        table.add_row(one.node, one.name, one.region, *shown, status or "–")
    Console().print(table)


@pool.command()
@click.argument("name")
@click.option("--hours", type=click.FloatRange(0.1, 24 * 90), default=1.0, show_default=True)
@CENTRAL
@JSON
def show(name: str, hours: float, url: str | None, as_json: bool) -> None:
    """The newest decisions about a pool (by OCID, name or NODE/NAME), newest last."""
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=hours)).isoformat(), "to": now.isoformat()}
    path = f"/v1/pools/{segment(name)}/analytics"
    with errors_as_sentences():
        rows = connect(url).ask(list[AnalyticsRow], "GET", path, params=span)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
        return
    table = Table("TIME (UTC)", "SIZE", "RUNNING", "CPU %", "EVENT", "REASON", box=None)
    for row in rows:
        cpu = "–" if row.avg_cpu_utilization is None else f"{row.avg_cpu_utilization:.0f}"
        sizes = (str(row.current_instances), str(row.active_instances))
        event, reason = row.scaling_event or "", row.scaling_reason or ""
        table.add_row(f"{row.timestamp:%Y-%m-%d %H:%M:%S}", *sizes, cpu, event, reason)
    Console().print(table)
