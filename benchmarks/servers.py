"""What central's benchmarks start: a PostgreSQL with databases, a central, the naive service."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg2
from psycopg2 import sql

from benchmarks.workload import Member, plain, plant
from central.database import open_engine
from central.embedded import ROLE, SUPERUSER, EmbeddedPostgres
from central.migrate import migrate
from central.partitions import ensure_partitions
from central.postgres_binaries import WHEEL, installed

ROOT = Path(__file__).parents[1]
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")


@contextlib.contextmanager
def postgres(settings: Mapping[str, str] | None = None) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL with the settings of `poolkeeper central serve`'s own, unless told otherwise."""
    directory = Path(tempfile.mkdtemp(prefix="pk-bench-", dir="/tmp"))
    server = EmbeddedPostgres(directory, settings or {})
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def database(server: EmbeddedPostgres, name: str, members: list[Member]) -> str:
    """The URL of a new database at the newest schema, with today's partitions and the fleet."""
    with contextlib.closing(
        psycopg2.connect(plain(server.url(SUPERUSER, "postgres")))
    ) as connection:
        connection.autocommit = True
        statement = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.cursor().execute(statement.format(sql.Identifier(name), sql.Identifier(ROLE)))
    url = server.url(ROLE, name)
    engine = open_engine(url)
    migrate(engine)
    ensure_partitions(engine)
    engine.dispose()
    plant(url, members)
    return url


def checkpoint(server: EmbeddedPostgres) -> None:
    """Write everything out, so that one part's leftovers do not burden the next."""
    with contextlib.closing(
        psycopg2.connect(plain(server.url(SUPERUSER, "postgres")))
    ) as connection:
        connection.autocommit = True
        connection.cursor().execute("CHECKPOINT")


def program(server: EmbeddedPostgres, name: str) -> Path:
    """One of PostgreSQL's programs, from the installation that runs the server."""
    copy = server.directory / "postgresql" / WHEEL / installed().name
    return (copy if copy.exists() else installed()) / "bin" / name


def durability(url: str) -> dict[str, str]:
    """The server's settings that decide what a commit means."""
    with contextlib.closing(psycopg2.connect(plain(url))) as connection:
        cursor = connection.cursor()
        found = {}
        for name in (*DURABILITY, "server_version"):
            cursor.execute("SELECT current_setting(%s)", (name,))
            (found[name],) = cursor.fetchone() or ("?",)
        return found


def counts(url: str) -> dict[str, int]:
    """Rows in the tables that heartbeats fill."""
    with contextlib.closing(psycopg2.connect(plain(url))) as connection:
        cursor = connection.cursor()
        found = {}
        for table in ("node_heartbeats", "pool_analytics", "metrics"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            (found[table],) = cursor.fetchone() or (-1,)
        return found


class Process:
    """A server in a process of its own, ended by its pid."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    def peak_megabytes(self) -> float:
        """The most memory that it has held (VmHWM), in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(row for row in status.splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def file_limit(self) -> int:
        """How many files and sockets it may hold open."""
        limits = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)
        return limits[0]

    def cpu_seconds(self) -> float:
        """Processor time so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def naive(url: str) -> Iterator[Process]:
    """The naive service on a database."""
    command = [sys.executable, "-m", "benchmarks.naive_central"]
    with _started(command, {"NAIVE_DATABASE_URL": url}) as process:
        yield Process(process, _line(process).strip())


@contextlib.contextmanager
def central(url: str, *, port: str = "0") -> Iterator[Process]:
    """A central on a database, as an operator starts it."""
    command = [sys.executable, "-m", "poolkeeper", "central", "serve", "--port", port, "--json"]
    settings = {"POOLKEEPER_DATABASE_URL": url, "POOLKEEPER_LOG_LEVEL": "WARNING"}
    with _started(command, settings) as process:
        yield Process(process, json.loads(_line(process))["url"])


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the server ended with {process.wait()}"
    return line


@contextlib.contextmanager
def _started(command: list[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, **settings}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
