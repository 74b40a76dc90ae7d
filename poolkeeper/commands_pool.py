"""`poolkeeper pool list|show|events`: what central knows of pools, what was decided and why."""

import json
from datetime import UTC, datetime, timedelta

import click

from poolkeeper.cli import LazyGroup
from poolkeeper.listing import Listing
from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences, segment
from shared.wire_operator import AnalyticsRow, PoolView

_EDIT = "poolkeeper.commands_pool_edit"
EDITS = {
    "override": (f"{_EDIT}:override", "Hold a pool at a size for a while.", ""),
    "pause": (f"{_EDIT}:pause", "Hands off: enforce nothing.", ""),
    "observe": (f"{_EDIT}:observe", "Decide and report, never resize.", ""),
    "activate": (f"{_EDIT}:activate", "Resize it again.", ""),
    "limits": (f"{_EDIT}:limits", "Change --min and --max.", ""),
}


EPILOG = """\b
Examples:
  poolkeeper pool list
  poolkeeper pool show web-1/web
  poolkeeper pool override web-1/web --target 12 --for 2h --reason "load test"
  poolkeeper pool override web-1/web --end
  poolkeeper pool limits web-1/web --max 30
"""


@click.group(cls=LazyGroup, lazy=EDITS, epilog=EPILOG)
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
    table = Listing("NODE", "POOL", "REGION", "SIZE", "MIN", "MAX", "STATUS")
    for one in pools:
        reported = one.last_analytics_at is not None  # until then, what is stored is a default
        status = "retired" if one.retired_at else one.status if reported else None
        size = one.current_instances if reported else None
        sizes = (size, one.min_instances, one.max_instances)
        shown = ("–" if value is None else str(value) for value in sizes)
        table.row(one.node, one.name, one.region, *shown, status or "–")
    table.show()


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
    table = Listing("TIME (UTC)", "SIZE", "RUNNING", "CPU %", "EVENT", "REASON")
    for row in rows:
        cpu = "–" if row.avg_cpu_utilization is None else f"{row.avg_cpu_utilization:.0f}"
        sizes = (str(row.current_instances), str(row.active_instances))
        event, reason = row.scaling_event or "", row.scaling_reason or ""
        table.row(f"{row.timestamp:%Y-%m-%d %H:%M:%S}", *sizes, cpu, event, reason)
    table.show()


@pool.command(epilog="\b\nExample:\n  poolkeeper pool events n1/web --hours 168")
@click.argument("name")
@click.option("--hours", type=click.FloatRange(0.1, 24 * 730), default=24.0, show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@CENTRAL
@JSON
def events(name: str, hours: float, limit: int, url: str | None, as_json: bool) -> None:
    """Resizes of a pool (by OCID, name or NODE/NAME) and failed ones with reasons, newest last."""
    now = datetime.now(UTC)
    since = now - timedelta(hours=hours)
    query = {"from": since.isoformat(), "to": now.isoformat(), "limit": str(limit)}
    path = f"/v1/pools/{segment(name)}/events"
    with errors_as_sentences():
        rows = connect(url).ask(list[AnalyticsRow], "GET", path, params=query)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
        return
    table = Listing("TIME (UTC)", "EVENT", "SIZE", "REASON")
    for row in reversed(rows):
        size = _change_of(row)
        reason = row.scaling_reason or ""
        table.row(f"{row.timestamp:%Y-%m-%d %H:%M:%S}", row.scaling_event or "", size, reason)
    table.show()


def _change_of(row: AnalyticsRow) -> str:
    made = row.decision or {}
    if "before" in made and "to" in made:
        return f"{made['before']} → {made['to']}"
    return str(row.current_instances)
