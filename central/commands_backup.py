"""`poolkeeper central backup-check`: can this dump be restored?"""

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from central.backup_check import Report, check_backup
from central.errors import StartError


@click.command("backup-check")
@click.argument("dump", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backup_check(dump: Path, as_json: bool) -> None:
    """Restore DUMP (of pg_dump --format=custom) into a scratch PostgreSQL and look it over.

    Nothing of the store is touched. Exit status 1 when something is missing or wrong.
    """
    try:
        report = check_backup(dump, os.environ)
    except StartError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from error
    if as_json:
        newest = report.newest_record
        moment = None if newest is None else newest.isoformat() + "Z"
        click.echo(json.dumps({**asdict(report), "newest_record": moment, "ok": report.ok}))
    else:
        _tell(report)
    raise SystemExit(0 if report.ok else 1)


def _tell(report: Report) -> None:
    if report.revision is not None:
        click.echo(f"Schema {report.revision}, as the dump has it.")
    for table, count in report.counts.items():
        click.echo(f"{table:22}{count:>12,} rows")
    if report.newest_record is not None:
        click.echo(f"The newest record is of {report.newest_record:%Y-%m-%d %H:%M:%S} UTC.")
    for problem in report.problems:
        click.echo(f"PROBLEM: {problem}", err=True)
    if report.ok:
        click.echo(f"It can be restored; {report.audit_rows} audit rows verify.")
