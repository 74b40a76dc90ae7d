"""`poolkeeper central …`: the composition root of the store, with its environment and clock."""

import contextlib
import gc
import json
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from central.commands_backup import backup_check
from central.commands_notify import notify_settings, notify_test
from central.commands_people import people_settings
from central.commands_tls import TLS_CERTIFICATE, TLS_KEY, certificate_of, warn_of_clear_text
from central.database import check_server, open_engine
from central.database_roles import hand_over, migrate_as_owner
from central.embedded import DATABASE, SUPERUSER, EmbeddedPostgres
from central.embedded import ROLE as EMBEDDED_ROLE
from central.errors import ApiError, StartError
from central.log_format import JsonFormatter
from central.migrate import migrate as migrate_schema
from central.migrate import require_current
from central.partitions import ensure_partitions
from central.passwords import check_new_password, hash_password
from central.server import Server, bind, url_of
from central.service import Central, Settings
from central.store import audit, users
from central.tls import Certificate

log = logging.getLogger("central")
DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the embedded PostgreSQL lives, when POOLKEEPER_DATABASE_URL is not set.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("central")
def central() -> None:
    """The store: heartbeats in, configurations out, history in PostgreSQL."""


@central.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8642, show_default=True, help="0 takes a free one.")
@click.option("--migrate", "with_migration", is_flag=True, help="Migrate an external database.")
@click.option(
    "--heartbeat-seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0.1, 300),
    help="How often agents report while the fleet is small.",
)
@TLS_CERTIFICATE
@TLS_KEY
@DATA_DIR
@JSON
def serve(  # click passes each option by name
    *,
    host: str,
    port: int,
    with_migration: bool,
    heartbeat_seconds: float,
    tls_certificate: Path | None,
    tls_key: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Serve agents and operators until SIGTERM."""
    _set_up_logging()
    with _errors_as_sentences(), _database(data_dir) as database:
        proxies = os.environ.get("POOLKEEPER_TRUSTED_PROXIES", "").split(",")
        people = people_settings()
        settings = Settings(
            database.url,
            heartbeat_seconds,
            with_migration or database.embedded,
            frozenset(filter(None, proxies)),
            people.oidc,
            people.public_url,
            people.first_admin,
            database.owner_url,
            os.environ.get("POOLKEEPER_METRICS_TOKEN") or None,
            notify_settings(),
        )
        certificate = certificate_of(tls_certificate, tls_key)
        if certificate is None and not settings.trusted_proxies:
            warn_of_clear_text(host)
        whole = Central(settings, time.monotonic, random.SystemRandom())
        listener = bind(host, port)
        try:
            whole.start()
            _serve(whole, listener, database, certificate, as_json=as_json)
            log.info("stopped")
        finally:
            listener.close()
            whole.stop()


@central.command()
@click.option(
    "--application-role",
    envvar="POOLKEEPER_APPLICATION_ROLE",
    help="The database role that serves: it gets everything but the audit trail.",
)
@DATA_DIR
@JSON
def migrate(application_role: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Bring the database to this version's schema; the role that migrates owns the audit trail."""
    with _errors_as_sentences(), _database(data_dir, share=True) as database:
        engine = open_engine(database.owner_url or database.url)
        check_server(engine)
        migrate_schema(engine)
        ensure_partitions(engine)
        role = application_role or (EMBEDDED_ROLE if database.embedded else None)
        if role is not None:
            hand_over(engine, role)
        engine.dispose()
    click.echo(json.dumps({"migrated": True}) if as_json else "The database is up to date.")


@central.command("create-user")
@click.option("--email", required=True)
@click.option("--role", type=click.Choice(["USER", "DEVOPS", "ADMIN"]), default="USER")
@click.option("--full-name", help="Default: the part of the address before the @.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@DATA_DIR
@JSON
def create_user(
    email: str,
    role: users.Role,
    full_name: str | None,
    password_stdin: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Add an operator with a local password (or from POOLKEEPER_PASSWORD, or asked for)."""
    password = _password(password_stdin)
    address = email.strip().lower()
    with _errors_as_sentences(), _database(data_dir, share=True) as database:
        check_new_password(password)
        if "@" not in address:
            raise StartError(f"{email!r} is not an e-mail address.")
        engine = open_engine(database.url)
        check_server(engine)
        if database.owner_url is not None:
            migrate_as_owner(database.owner_url, database.url)
        require_current(engine)
        name = full_name or address.partition("@")[0]
        with engine.begin() as connection:
            user_id = users.create(connection, address, role, name, hash_password(password))
            event = audit.Event(
                "USER_CREATED", "USER", "user", str(user_id), address, details={"role": role}
            )
            audit.append(connection, audit.Actor(email="root@localhost"), event)
        engine.dispose()
    created = {"id": user_id, "email": address, "role": role}
    click.echo(json.dumps(created) if as_json else f"Created {address} with the role {role}.")


central.add_command(backup_check)
central.add_command(notify_test)


@dataclass(frozen=True, slots=True)
class Database:
    """Where PostgreSQL is, whether it is an embedded one, and whether it still runs.

    `owner_url` is of the embedded one's superuser, who owns the audit trail.
    """

    url: str
    embedded: bool
    goes_on: Callable[[], bool] = lambda: True
    owner_url: str | None = None


def _serve(
    whole: Central,
    listener: socket.socket,
    database: Database,
    certificate: Certificate | None,
    *,
    as_json: bool,
) -> None:
    url = url_of(listener, tls=certificate is not None)

    def _announce() -> None:
        click.echo(json.dumps({"url": url}) if as_json else f"Central is listening on {url}")

    server = Server(whole.app, _announce, database.goes_on, certificate)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them anew after its shutdown
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    _favour_latency()
    server.run(sockets=[listener])
    if not database.goes_on():
        raise StartError("The embedded PostgreSQL ended by itself: its log postgres.log tells why.")


def _favour_latency() -> None:
    """Keep the interpreter's own pauses short: they are the tail of every heartbeat's latency."""
    gc.collect()
    gc.freeze()  # what lives as long as the process is never looked through again
    gc.set_threshold(50_000, 20, 20)  # heartbeats in flight are no garbage, however many they are
    sys.setswitchinterval(0.001)  # seconds that a writer waits for the loop, several times a batch


@contextlib.contextmanager
def _database(data_dir: Path | None, *, share: bool = False) -> Iterator[Database]:
    """The database to work on.

    `share` also takes the one of a central that is running; otherwise it starts and ends with us.
    """
    url = os.environ.get("POOLKEEPER_DATABASE_URL")
    if url:
        yield Database(_with_driver(url), embedded=False)
        return
    server = EmbeddedPostgres((data_dir or _default_data_dir()).absolute())
    running = server.attach() if share else None
    if running is not None:
        yield Database(running, embedded=True, owner_url=server.url(SUPERUSER, DATABASE))
        return
    started = server.start()
    click.echo(
        f"No POOLKEEPER_DATABASE_URL: using the embedded PostgreSQL in {server.directory} "
        "(single host).",
        err=True,
    )
    try:
        owner_url = server.url(SUPERUSER, DATABASE)
        yield Database(started, True, server.is_running, owner_url)
    finally:
        server.stop()


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}" if scheme.startswith("postgres") else url


def _default_data_dir() -> Path:
    state = os.environ.get("STATE_DIRECTORY")  # from systemd
    if state:
        return Path(state)
    if os.geteuid() == 0:
        return Path("/var/lib/poolkeeper-central")
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "poolkeeper" / "central"


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given = os.environ.get("POOLKEEPER_PASSWORD")
    return given or str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@contextlib.contextmanager
def _errors_as_sentences() -> Iterator[None]:
    try:
        yield
    except (StartError, ApiError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def _set_up_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=os.environ.get("POOLKEEPER_LOG_LEVEL", "INFO"), handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
