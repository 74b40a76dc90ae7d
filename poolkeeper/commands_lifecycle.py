"""`poolkeeper node lifecycle`: what happened to nodes, newest first."""

import json

import click

from poolkeeper.listing import Listing
from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences
from shared.wire_operator import LifecycleRow

PAGE = 1000
EPILOG = """\b
Examples:
  poolkeeper node lifecycle                             of every node
  poolkeeper node lifecycle web-1 --event WENT_OFFLINE
  poolkeeper node lifecycle --csv --limit 10000 > lifecycle.csv
"""


@click.command(epilog=EPILOG)
@click.argument("name", required=False)
@click.option("--event", help="Only one kind, such as WENT_OFFLINE.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV (at most 10,000 rows).")
@CENTRAL
@JSON
def lifecycle(
    name: str | None,
    event: str | None,
    limit: int,
    as_csv: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """What happened to nodes, or to the one called NAME, newest first."""
    wanted = {key: value for key, value in (("node", name), ("event", event)) if value is not None}
    if as_csv:
        params = {**wanted, "format": "csv", "limit": min(limit, 10_000)}
        with errors_as_sentences():
            answer = connect(url).request("GET", "/v1/lifecycle", params=params)
        click.echo(answer.text, nl=False)
        return
    rows = _rows(wanted, limit, url)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
        return
    table = Listing("TIME (UTC)", "NODE", "EVENT", "STATUS", "WHY", "BY")
    for row in rows:
        at = f"{row.timestamp:%Y-%m-%d %H:%M:%S}"
        before = (
            f"{row.previous_status} → " if row.previous_status not in {None, row.new_status} else ""
        )
        table.row(
            at,
            row.node,
            row.event_type,
            f"{before}{row.new_status}",
            row.reason or "",
            row.triggered_by or "-",
        )
    table.show()


def _rows(wanted: dict[str, str], limit: int, url: str | None) -> list[LifecycleRow]:
    rows: list[LifecycleRow] = []
    with errors_as_sentences():
        client = connect(url)
        while len(rows) < limit:
            size = min(PAGE, limit - len(rows))
            params = {**wanted, "limit": size, **({"before": rows[-1].id} if rows else {})}
            page = client.ask(list[LifecycleRow], "GET", "/v1/lifecycle", params=params)
            rows += page
            if len(page) < size:
                break
    return rows
