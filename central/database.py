"""Connections to PostgreSQL: UTC, with time limits, checked before central starts."""

from dataclasses import dataclass

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from central.errors import StartError

OLDEST_SERVER = 140000


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may take, in milliseconds; 0 means no limit."""

    statement_ms: int = 30_000
    lock_ms: int = 5_000
    idle_ms: int = 15_000


def open_engine(url: str, *, pool_size: int = 10, limits: Limits | None = None) -> Engine:
    """A lazy connection pool whose every session speaks UTC and gives up in time.

    Raises:
        StartError: the URL cannot be understood.
    """
    try:
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,  # parameters may be secrets; errors reach the log
            connect_args={"connect_timeout": 5, "application_name": "poolkeeper-central"},
        )
    except (ArgumentError, ModuleNotFoundError) as error:
        raise StartError(
            "POOLKEEPER_DATABASE_URL is not a usable address: write "
            "postgresql://USER:PASSWORD@HOST/DATABASE."
        ) from error
    bounds = limits or Limits()

    @event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(
            f"SET TIME ZONE 'UTC'; SET statement_timeout = {bounds.statement_ms:d};"
            "SET random_page_cost = 1.1;"  # tables of nodes stay in memory: look a batch's few up
            f"SET lock_timeout = {bounds.lock_ms:d};"
            f"SET idle_in_transaction_session_timeout = {bounds.idle_ms:d}"
        )
        cursor.close()
        connection.commit()

    return engine


def check_server(engine: Engine) -> None:
    """Refuse a server that central cannot keep its promises on.

    Raises:
        StartError: not reachable, too old, not UTF-8, or its sessions do not speak UTC.
    """
    try:
        with engine.connect() as connection:
            row = connection.execute(
                text(
                    "SELECT current_setting('server_version_num')::int, "
                    "current_setting('server_encoding'), current_setting('TimeZone'), "
                    "now()::timestamp = now() AT TIME ZONE 'UTC'"
                )
            ).one()
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        raise StartError(f"The database cannot be reached: {reason}.") from error
    version, encoding, zone, is_utc = row
    if version < OLDEST_SERVER:
        raise StartError(f"PostgreSQL 14 or newer is needed; the server is {version // 10000}.")
    if encoding != "UTF8":
        raise StartError(f"The database's encoding is {encoding}: create it with ENCODING 'UTF8'.")
    if not is_utc:
        raise StartError(f"Sessions run in the time zone {zone}, not UTC: a proxy overrides it.")
