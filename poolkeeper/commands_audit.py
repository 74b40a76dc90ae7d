"""`poolkeeper audit …`: who did what, exported, checked, and for how long it is kept."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from poolkeeper.listing import Listing
from poolkeeper.operator_client import CENTRAL, JSON, NO, connect, errors_as_sentences
from poolkeeper.progress import working
from shared.wire_people import AuditRow, AuditVerdict, Retention

PAGE = 1000
VERIFY_SECONDS = 600.0
CATEGORY = click.Choice(["AUTH", "NODE", "POOL", "USER", "CONFIG", "SYSTEM"])
FILTERS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option("--from", "start", metavar="TIME", help="ISO 8601; without a zone it is UTC."),
    click.option("--to", "end", metavar="TIME"),
    click.option("--user", metavar="EMAIL"),
    click.option("--category", type=CATEGORY),
    click.option("--action", help="Such as NODE_CREATED."),
    click.option("--resource", metavar="NAME_OR_ID"),
    click.option("--status", type=click.Choice(["SUCCESS", "FAILURE"])),
)

EPILOG = """\b
Examples:
  poolkeeper audit list --user eva@example.com --status FAILURE
  poolkeeper audit list --resource web-1 --from 2026-03-29T00:00 --to 2026-03-30T00:00
  poolkeeper audit export --format csv --output audit.csv
  poolkeeper audit verify
"""


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.group(epilog=EPILOG)
def audit() -> None:
    """Who did what, and proof of it."""


@audit.command("list")
@_filtered
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@CENTRAL
@JSON
def list_rows(limit: int, url: str | None, as_json: bool, **wanted: str | None) -> None:
    """Rows, newest first."""
    rows: list[AuditRow] = []
    with errors_as_sentences():
        client = connect(url)
        while len(rows) < limit:
            size = min(PAGE, limit - len(rows))
            more = {"before": rows[-1].id} if rows else {}
            params = {**_params(wanted), "limit": size, **more}
            page = client.ask(list[AuditRow], "GET", "/v1/audit", params=params)
            rows += page
            if len(page) < size:
                break
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows]))
        return
    table = Listing("ID", "TIME (UTC)", "WHO", "ROLE", "ACTION", "WHAT", "RESULT")
    for row in rows:
        at = f"{row.timestamp:%Y-%m-%d %H:%M:%S}" if row.timestamp else "-"
        result = "ok" if row.status == "SUCCESS" else f"FAILURE: {row.error_message or ''}"
        what = row.resource_name or row.resource_id or "-"
        who = row.user_email or "-"
        table.row(str(row.id), at, who, row.user_role or "-", row.action, what, result)
    table.show()


@audit.command()
@_filtered
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: stdout.")
@CENTRAL
@JSON
def export(
    form: str, output: Path | None, url: str | None, as_json: bool, **wanted: str | None
) -> None:
    """Every row as CSV, or as JSON with a row per line."""
    chosen = "json" if as_json else form
    with errors_as_sentences():
        params = {**_params(wanted), "format": chosen}
        with working("Exporting the audit …"):
            content = connect(url).request("GET", "/v1/audit/export", params=params).content
    if output is None:
        click.echo(content.decode(), nl=False)
    else:
        output.write_bytes(content)


@audit.command()
@CENTRAL
@JSON
def verify(url: str | None, as_json: bool) -> None:
    """Check every row against the hash chain; exit 1 and name each row that was tampered with."""
    with errors_as_sentences(), working("Checking every row of the audit …"):
        verdict = connect(url).ask(AuditVerdict, "GET", "/v1/audit/verify", timeout=VERIFY_SECONDS)
    if as_json:
        click.echo(verdict.model_dump_json())
    elif verdict.ok:
        seal = f"; the last seal is {verdict.last_seal}" if verdict.last_seal else ""
        click.echo(f"{verdict.rows} rows of {verdict.days} days are as they were written{seal}.")
    else:
        for found in verdict.breaks:
            where = f"row {found.row}" if found.row is not None else f"day {found.day}"
            click.echo(f"{where}: {found.problem}")
    raise SystemExit(0 if verdict.ok else NO)


@audit.command()
@click.argument("days", required=False)
@CENTRAL
@JSON
def retention(days: str | None, url: str | None, as_json: bool) -> None:
    """Show for how long rows are kept, or set it: DAYS (at least 90) or `forever`."""
    with errors_as_sentences():
        if days is None:
            kept = connect(url).ask(Retention, "GET", "/v1/audit/retention")
        else:
            body = {"days": None if days == "forever" else _whole(days)}
            kept = connect(url).ask(Retention, "PUT", "/v1/audit/retention", json=body)
    sentence = "Audit rows are kept for good."
    if kept.days is not None:
        sentence = f"Audit rows are kept for {kept.days} days."
    click.echo(kept.model_dump_json() if as_json else sentence)


def _params(wanted: dict[str, str | None]) -> dict[str, str]:
    names = {"start": "from", "end": "to"}
    return {
        names.get(name, name): _instant(value) if name in names else value
        for name, value in wanted.items()
        if value is not None
    }


def _instant(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time: write 2026-03-29T01:00:00Z.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _whole(text: str) -> int:
    if not text.isdigit():
        raise click.UsageError("Write a number of days, or `forever`.")
    return int(text)
