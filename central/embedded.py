"""An embedded PostgreSQL for a single host, locked down: no TCP, scram, private directories."""

import contextlib
import fcntl
import os
import secrets
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from central.errors import StartError
from central.postgres_binaries import (
    Account,
    identity,
    reachable_install,
    run_as,
    unprivileged_account,
)

ROLE = "poolkeeper"
DATABASE = "poolkeeper"
SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 107  # bytes: sun_path holds 108 with its terminator
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "60",
    "max_wal_size": "2GB",
    "shared_buffers": "128MB",
}


@dataclass
class EmbeddedPostgres:
    """One PostgreSQL cluster in `directory`, started and stopped with its owner.

    `settings` override server parameters (tests run on other time zones). A lock on the directory
    keeps a second central away; a server orphaned by a killed central is stopped first.
    """

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _lock: IO[str] | None = None
    _socket: Path | None = None

    def start(self) -> str:
        """Start the server, creating cluster, role and database as needed; return its URL.

        Raises:
            StartError: the directory is in use or not reachable, or the server did not come up.
        """
        account = unprivileged_account()
        self._prepare_directory(account)
        self._lock = _lock(self.directory / "central.lock")
        try:
            install = reachable_install(self.directory, account)
            _stop_orphan(self._data)
            self._create_cluster(install, account)
            self._socket = self._socket_directory(account)
            self._launch(install, account)
            self._create_database()
        except BaseException:
            self.stop()
            raise
        return self.url(ROLE, DATABASE)

    def attach(self) -> str | None:
        """The URL of a server that another process runs here; None if none does."""
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            self._socket = Path(lines[4])
            self._connect(ROLE, DATABASE).close()
        except (OSError, IndexError, psycopg2.OperationalError):
            return None
        return self.url(ROLE, DATABASE)

    def url(self, role: str, database: str) -> str:
        """The SQLAlchemy URL of a database; it holds a password, so never log it."""
        password = self._password(role)
        return (
            f"postgresql+psycopg2://{role}:{password}@/{database}?host={quote(str(self._socket))}"
        )

    def is_running(self) -> bool:
        """Whether the server that we started still lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop the server (fast shutdown: roll back, checkpoint, exit) and free the directory."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)  # recovers from its log next time
                self._process.wait()
            self._process = None
        if self._socket is not None and self._socket.parent != self.directory:
            shutil.rmtree(self._socket, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def _data(self) -> Path:
        return self.directory / "pgdata"

    def _prepare_directory(self, account: Account | None) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if account is not None:  # the account must pass through, and no more
            self.directory.chmod(0o711)

    def _password(self, role: str) -> str:
        path = self.directory / f"{role}.password"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, secrets.token_urlsafe(32).encode())
            os.fsync(descriptor)
            os.close(descriptor)
        return path.read_text(encoding="ascii")

    def _create_cluster(self, install: Path, account: Account | None) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        fresh = self.directory / "pgdata.new"  # renamed when complete: an interrupted one is redone
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir="/tmp") as secret:  # its mode is 0600
            secret.write(self._password(SUPERUSER))
            secret.flush()
            if account is not None:
                os.chown(fresh, account.uid, account.gid)
                os.chown(secret.name, account.uid, account.gid)
            command = [str(install / "bin" / "initdb"), "-D", str(fresh), "-U", SUPERUSER]
            command += ["--auth-local=scram-sha-256", "--auth-host=reject", "--no-locale"]
            command += ["--encoding=UTF8", f"--pwfile={secret.name}"]
            done = run_as(account, command)
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise StartError(
                f"PostgreSQL could not create a cluster in {fresh}: {' '.join(reason)}"
            )
        fresh.rename(self._data)

    def _socket_directory(self, account: Account | None) -> Path:
        place = self.directory / "run"
        if len(os.fsencode(place / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
            place = Path(tempfile.mkdtemp(prefix="poolkeeper-", dir="/tmp"))  # its mode is 0700
        place.mkdir(mode=0o700, exist_ok=True)
        place.chmod(0o700)
        if account is not None:
            os.chown(place, account.uid, account.gid)
        return place

    def _launch(self, install: Path, account: Account | None) -> None:
        options = {**SETTINGS, **self.settings, "unix_socket_directories": str(self._socket)}
        command = [str(install / "bin" / "postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        log_path = self.directory / "postgres.log"
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 # our own program, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
                start_new_session=True,  # Ctrl-C is for central, which stops its server last
                **identity(account),
            )
        for _ in range(1200):  # a minute: recovery after a crash reads the log first
            with contextlib.suppress(psycopg2.OperationalError):
                self._connect(SUPERUSER, "postgres").close()
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.05)
                break
        raise StartError(f"PostgreSQL did not start; its log {log_path} tells why.")

    def _connect(self, role: str, database: str) -> "psycopg2.extensions.connection":
        return psycopg2.connect(
            user=role, password=self._password(role), dbname=database, host=str(self._socket)
        )

    def _create_database(self) -> None:
        with contextlib.closing(self._connect(SUPERUSER, "postgres")) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,))
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
            password = sql.Literal(self._password(ROLE))
            cursor.execute(statement.format(sql.Identifier(ROLE), password))
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone() is None:
                create = sql.SQL("CREATE DATABASE {} OWNER {}")
                cursor.execute(create.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))


def _lock(path: Path) -> IO[str]:
    file = path.open("w", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StartError(
            f"Another central is using {path.parent}: stop it, or give this one its own --data-dir."
        ) from None
    return file


def _stop_orphan(data: Path) -> None:
    """Stop a server whose central was killed; forget a pid file that names somebody else."""
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        pid_file.unlink(missing_ok=True)
        return
    if os.fsencode(data) not in command.split(b"\0"):
        pid_file.unlink(missing_ok=True)
        return
    watch = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(watch, signal.SIGINT)
        _wait_for_exit(watch, data)
    finally:
        os.close(watch)


def _wait_for_exit(watch: int, data: Path) -> None:
    if not select.select([watch], [], [], 30)[0]:
        raise StartError(f"The PostgreSQL left over in {data} does not stop: end it by hand.")
