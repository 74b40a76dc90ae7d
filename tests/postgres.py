"""A real PostgreSQL for tests: one cluster, and for each test its own migrated database."""

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg2
from psycopg2 import sql

from central.database import open_engine
from central.embedded import ROLE, SUPERUSER, EmbeddedPostgres
from central.migrate import migrate
from central.partitions import ensure_partitions

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
TEMPLATE = "template_poolkeeper"
KEPT = 16  # databases; of the older ones, those that nobody is connected to are dropped


class Cluster:
    """A running server. `server` gives the parts that only a few tests look at."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._numbers = itertools.count(1)
        self._made: list[str] = []
        self._create(TEMPLATE, "template1")
        engine = open_engine(server.url(ROLE, TEMPLATE))
        migrate(engine)
        ensure_partitions(engine)
        engine.dispose()

    def new_database(self) -> str:
        """The URL of a fresh database at the newest schema, with today's partitions."""
        return self._copy(TEMPLATE)

    def empty_database(self) -> str:
        """The URL of a database without any schema."""
        return self._copy("template1")

    def _copy(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self._create(name, template)
        self._made.append(name)
        return self.server.url(ROLE, name)

    def _create(self, name: str, template: str) -> None:
        address = self.server.url(SUPERUSER, "postgres").replace("+psycopg2", "")
        with contextlib.closing(psycopg2.connect(address)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            self._make_room(cursor)
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
            names = map(sql.Identifier, (name, template, ROLE))
            cursor.execute(statement.format(*names))
            # a copy does not inherit its template's settings
            cursor.execute(
                sql.SQL("ALTER DATABASE {} SET timezone = 'UTC'").format(sql.Identifier(name))
            )

    def _make_room(self, cursor: psycopg2.extensions.cursor) -> None:
        """A thousand databases of ten megabytes would be written, and deleted at the end."""
        old = self._made[:-KEPT]
        if not old:
            return
        cursor.execute("SELECT datname FROM pg_stat_activity WHERE datname = ANY(%s)", (old,))
        used = {name for (name,) in cursor.fetchall()}
        for name in set(old) - used:
            with contextlib.suppress(psycopg2.errors.ObjectInUse):
                cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
                self._made.remove(name)


@contextlib.contextmanager
def cluster(settings: Mapping[str, str] = FAST) -> Iterator[Cluster]:
    """Start a cluster in a directory of its own, and remove both at the end."""
    with short_directory() as directory:
        server = EmbeddedPostgres(directory, settings)
        server.start()
        try:
            yield Cluster(server)
        finally:
            server.stop()


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """A directory that an unprivileged server can enter and whose socket path is short."""
    directory = Path(tempfile.mkdtemp(prefix="pk-", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
