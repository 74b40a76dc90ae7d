"""Whether a dump can be restored: restored into a scratch PostgreSQL, migrated, and looked over."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import make_url

from central import tables_enrolment, tables_history, tables_orders, tables_people, tables_rollup
from central.database import open_engine
from central.embedded import DATABASE, SUPERUSER, EmbeddedPostgres
from central.errors import StartError
from central.migrate import current, migrate, newest
from central.postgres_binaries import installed
from central.store import audit_trail
from central.tables import metadata
from shared.config.hashing import config_hash
from shared.config.loader import load
from shared.config.problems import ConfigError

COUNTED = (
    *("users", "nodes", "node_keys", "node_configurations", "pools", "schedules", "audit_logs"),
    *("node_lifecycle_logs", "node_heartbeats", "pool_analytics", "metrics", "pool_analytics_1h"),
)
NEEDED = ("users", "nodes", "node_configurations", "audit_logs")
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# imported so that `metadata` knows every table
TABLES = (tables_enrolment, tables_history, tables_orders, tables_people, tables_rollup)


@dataclass(slots=True)
class Report:
    """What a dump holds, and what is wrong with it; instants are naive UTC."""

    revision: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    newest_record: datetime | None = None
    audit_rows: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether central could go on from it."""
        return not self.problems


def check_backup(dump: Path, environment: Mapping[str, str]) -> Report:
    """Restore a dump where nobody else is, look it over, and remove it again.

    Raises:
        StartError: it is no dump of `pg_dump --format=custom` (or tar, or directory), or there is
            no PostgreSQL to restore it into.
    """
    if not _is_archive(dump):
        raise StartError(f"{dump} is no archive of pg_dump: make one with pg_dump --format=custom.")
    report = Report()
    with _scratch() as url:
        if not _restore(dump, url, report, environment):
            return report
        engine = open_engine(url, pool_size=1)
        try:
            _look_over(engine, report)
        finally:
            engine.dispose()
    return report


def _is_archive(dump: Path) -> bool:
    if dump.is_dir():
        return (dump / "toc.dat").is_file()
    with dump.open("rb") as file:
        head = file.read(262)
    return head.startswith(b"PGDMP") or head[257:262] == b"ustar"


@contextmanager
def _scratch() -> Iterator[str]:
    """An empty database on a server of its own, in a directory that goes with it."""
    directory = Path(tempfile.mkdtemp(prefix="pk-check-"))
    server = EmbeddedPostgres(directory, FAST)
    try:
        server.start()
        yield server.url(SUPERUSER, DATABASE)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _restore(dump: Path, url: str, report: Report, environment: Mapping[str, str]) -> bool:
    """Run `pg_restore`; what it complains about is a problem each."""
    parts = make_url(url)
    variables = {
        **environment,
        "PGHOST": str(parts.query["host"]),
        "PGUSER": str(parts.username),
        "PGPASSWORD": str(parts.password),
    }
    command = [str(installed() / "bin" / "pg_restore"), "--no-owner", "--no-privileges"]
    done = subprocess.run(  # noqa: S603 # our own binary, no shell
        [*command, f"--dbname={parts.database}", str(dump)],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "error:" in line]
    report.problems += [f"pg_restore: {line.partition('error: ')[2]}" for line in complaints[:20]]
    if done.returncode != 0 and not complaints:
        report.problems.append(f"pg_restore ended with status {done.returncode}")
    return done.returncode == 0


def _look_over(engine: Engine, report: Report) -> None:
    with engine.connect() as connection:
        report.revision = current(connection)
    if report.revision is None:
        report.problems.append("it holds no schema of Poolkeeper (no alembic_version)")
        return
    if report.revision > newest():
        report.problems.append(
            f"its schema {report.revision} is newer than this version's {newest()}: "
            "check it with the version that made it"
        )
        return
    migrate(engine)
    with engine.connect() as connection:
        present = set(inspect(connection).get_table_names())
        missing = sorted(set(metadata.tables) - present)
        report.problems += [f"the table {table} is missing" for table in missing]
        if not missing:
            _count(connection, report)
            _check_people(connection, report)
            _check_configurations(connection, report)
    if not missing:
        _check_trail(engine, report)


def _count(connection: Connection, report: Report) -> None:
    connection.execute(text("SET statement_timeout = 0"))
    for table in COUNTED:
        statement = text(f"SELECT count(*) FROM {table}")  # noqa: S608 # a name from above
        report.counts[table] = int(connection.execute(statement).scalar_one())
    report.problems += [
        f"{table} is empty: was its data left out of the dump?"
        for table in NEEDED
        if not report.counts[table]
    ]
    newest_of_both = (
        "SELECT GREATEST((SELECT max(last_heartbeat) FROM nodes), "
        "(SELECT max(timestamp) FROM audit_logs))"
    )
    report.newest_record = connection.execute(text(newest_of_both)).scalar_one()


def _check_people(connection: Connection, report: Report) -> None:
    admins = "SELECT count(*) FROM users WHERE role = 'ADMIN' AND is_active"
    if not connection.execute(text(admins)).scalar_one():
        report.problems.append("no ADMIN could log in: poolkeeper central create-user makes one")


def _check_configurations(connection: Connection, report: Report) -> None:
    """Every active configuration is there, is what its hash says, and can be used."""
    rows = connection.execute(
        text(
            "SELECT n.name, s.active_hash, c.config_hash, c.yaml_config FROM nodes n "
            "LEFT JOIN node_state s ON s.node_id = n.id "
            "LEFT JOIN node_configurations c ON c.node_id = n.id AND c.is_active ORDER BY n.name"
        )
    )
    for name, active, stored, yaml in rows:
        if active != stored:
            report.problems.append(f"node {name}: its active configuration is missing")
        elif stored is not None and config_hash(yaml) != stored:
            report.problems.append(f"node {name}: its configuration does not match its hash")
        elif stored is not None and (wrong := _unusable(yaml)):
            report.problems.append(f"node {name}: its configuration cannot be used: {wrong}")


def _unusable(yaml: str) -> str | None:
    try:
        load(yaml)
    except ConfigError as error:
        return str(error.problems[0])
    return None


def _check_trail(engine: Engine, report: Report) -> None:
    with engine.connect() as connection:
        verdict = audit_trail.verify(connection)
    report.audit_rows = verdict.rows
    report.problems += [
        f"audit row {found.row or '?'}: {found.problem}" for found in verdict.breaks[:20]
    ]
