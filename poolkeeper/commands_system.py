"""`poolkeeper system`: the fleet over time, what is wrong with it, how long history is kept."""

import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import click

from poolkeeper.listing import Listing
from poolkeeper.operator_client import CENTRAL, JSON, NO, connect, errors_as_sentences
from shared.wire_history import ConditionRow, KeptFor, Kind, SystemRow
from shared.wire_notifications import NotificationRow


@click.group()
def system() -> None:
    """The whole fleet: what is wrong now, its instances over time, how long history is kept."""


@system.command(epilog="\b\nExample:\n  poolkeeper system show --hours 24 --json")
@click.option("--hours", type=click.FloatRange(0.1, 24 * 730), default=1.0, show_default=True)
@click.option("--limit", type=click.IntRange(1, 50_000), default=1000, show_default=True)
@CENTRAL
@JSON
def show(hours: float, limit: int, url: str | None, as_json: bool) -> None:
    """Instances and utilisation every five minutes, oldest first."""
    now = datetime.now(UTC)
    since = now - timedelta(hours=hours)
    query = {"from": since.isoformat(), "to": now.isoformat(), "limit": str(limit)}
    with errors_as_sentences():
        rows = connect(url).ask(list[SystemRow], "GET", "/v1/system-analytics", params=query)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
        return
    heads = ("TIME (UTC)", "NODES", "POOLS", "INSTANCES", "RUNNING", "MOST IN 24 H", "CPU %")
    table = Listing(*heads)
    for row in rows:
        counts = (
            row.active_nodes,
            row.total_active_pools,
            row.total_current_instances,
            row.total_active_instances,
            row.peak_instances_24h,
        )
        cpu = "–" if row.avg_system_cpu is None else f"{row.avg_system_cpu:.0f}"
        shown = ("–" if count is None else str(count) for count in counts)
        table.row(f"{row.timestamp:%Y-%m-%d %H:%M}", *shown, cpu)
    table.show()


@system.command()
@CENTRAL
@JSON
def conditions(url: str | None, as_json: bool) -> None:
    """What is wrong now, the youngest first; exit 1 if there is anything."""
    with errors_as_sentences():
        found = connect(url).ask(list[ConditionRow], "GET", "/v1/conditions")
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in found]))
    elif found:
        table = Listing("SINCE (UTC)", "KIND", "WHERE", "WHY")
        for one in found:
            table.row(f"{one.since:%Y-%m-%d %H:%M}", one.kind, one.subject, one.text)
        table.show()
    else:
        click.echo("Nothing is wrong that central knows of.")
    raise SystemExit(NO if found else 0)


@system.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@CENTRAL
@JSON
def notifications(limit: int, url: str | None, as_json: bool) -> None:
    """Messages to channels, newest first, and whether they were delivered."""
    query = {"limit": str(limit)}
    with errors_as_sentences():
        rows = connect(url).ask(list[NotificationRow], "GET", "/v1/notifications", params=query)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
        return
    table = Listing("TIME (UTC)", "CHANNEL", "STATE", "KIND", "WHERE", "DELIVERED")
    for row in rows:
        delivered = f"{row.sent_at:%Y-%m-%d %H:%M}" if row.sent_at else row.error or "not yet"
        at = f"{row.created_at:%Y-%m-%d %H:%M}"
        table.row(at, row.channel, row.state, row.kind, row.subject, delivered)
    table.show()


@system.command(epilog="\b\nExample:\n  poolkeeper system retention scaling_events 1095")
@click.argument("kind", required=False, type=click.Choice(get_args(Kind)))
@click.argument("days", required=False, type=click.IntRange(8, 36_500))
@CENTRAL
@JSON
def retention(kind: Kind | None, days: int | None, url: str | None, as_json: bool) -> None:
    """Show for how many days each KIND of history is kept, or keep one for so many DAYS."""
    if kind is not None and days is None:
        raise click.UsageError("Say for how many days, or leave KIND out to see what is kept.")
    with errors_as_sentences():
        client = connect(url)
        if kind is None:
            kept = client.ask(list[KeptFor], "GET", "/v1/retention")
        else:
            path = f"/v1/retention/{kind}"
            kept = [client.ask(KeptFor, "PUT", path, params={"days": str(days)})]
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in kept]))
        return
    table = Listing("KIND", "DAYS")
    for one in kept:
        table.row(one.kind, str(one.days))
    table.show()
