"""Bringing a database to this version's schema, and telling how far it is."""

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from central.errors import StartError

MIGRATION_LOCK = 0x706F6F6C01  # "pool" 01: one migration at a time on a database


def migrate(engine: Engine) -> None:
    """Apply every missing revision; safe to call at the same time from several replicas."""
    with engine.begin() as connection, as_file(files("central") / "migrations") as folder:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest() -> str:
    """The revision that this version of central works with."""
    with as_file(files("central") / "migrations") as folder:
        head = ScriptDirectory(str(folder)).get_current_head()
    if head is None:
        raise StartError("This installation of Poolkeeper lacks its migrations: reinstall it.")
    return head


def current(connection: Connection) -> str | None:
    """The revision a database is at; None for one that was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def require_current(engine: Engine) -> None:
    """Refuse to work on a database of another revision.

    Raises:
        StartError: the database has not been migrated, or is newer than this version.
    """
    head = newest()
    with engine.connect() as connection:
        revision = current(connection)
    if revision == head:
        return
    known = revision is None or revision < head
    raise StartError(
        f"The database is at schema revision {revision or 'none'} and this version needs {head}: "
        + ("run `poolkeeper central migrate` first." if known else "upgrade central first.")
    )
