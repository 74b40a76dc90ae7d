"""A PostgreSQL primary with a synchronous streaming replica: two clusters on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2

from central.database import open_engine
from central.migrate import migrate
from central.partitions import ensure_partitions
from central.postgres_binaries import identity, reachable_install, run_as, unprivileged_account
from tests.central_server import eventually
from tests.postgres import short_directory


class Server:
    """One cluster: its directory, its port, and its process."""

    def __init__(self, root: Path, name: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.account = unprivileged_account()
        self.programs = reachable_install(root, self.account) / "bin"
        self.data = root / name
        self.data.mkdir(mode=0o700)
        if self.account is not None:
            os.chown(self.data, self.account.uid, self.account.gid)
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end."""
        done = run_as(self.account, [str(self.programs / program), *arguments])
        assert done.returncode == 0, done.stderr

    def start(self, **settings: str) -> None:
        """Start the server and wait until it takes connections."""
        options = {"port": str(self.port), "listen_addresses": "127.0.0.1", **settings}
        options |= {"unix_socket_directories": "", "fsync": "on", "max_connections": "60"}
        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **identity(self.account),
        )
        eventually(self._answers, within=60)

    def ask(self, statement: str) -> object:
        """The first value of a statement's answer, as the superuser."""
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"
        with contextlib.closing(psycopg2.connect(address)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(statement)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def end(self, number: signal.Signals) -> None:
        """SIGKILL loses the machine, SIGINT is a fast shutdown."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(60)

    def _answers(self) -> bool:
        try:
            return self.ask("SELECT 1") == 1
        except psycopg2.OperationalError:
            return False


class Pair:
    """The two servers, and the one URL that names both."""

    def __init__(self, primary: Server, replica: Server) -> None:
        self.primary = primary
        self.replica = replica

    @property
    def url(self) -> str:
        """Whoever takes writes, of the two."""
        hosts = "&".join(f"host=127.0.0.1:{s.port}" for s in (self.primary, self.replica))
        return (
            f"postgresql+psycopg2://poolkeeper@/poolkeeper?{hosts}&target_session_attrs=read-write"
        )

    def fail_over(self) -> None:
        """SIGKILL the primary and promote the replica."""
        self.primary.end(signal.SIGKILL)
        self.replica.ask("SELECT pg_promote()")


@contextlib.contextmanager
def replicated() -> Iterator[Pair]:
    """A primary at the newest schema whose commits wait for its replica."""
    with short_directory() as root:
        root.chmod(0o711)
        primary, replica = Server(root, "primary"), Server(root, "replica")
        try:
            primary.run(
                "initdb", "-D", str(primary.data), "-U", "postgres", "-A", "trust", "-E", "UTF8"
            )
            primary.start()
            primary.ask("CREATE ROLE poolkeeper LOGIN")
            primary.ask("CREATE DATABASE poolkeeper OWNER poolkeeper")
            primary.ask("ALTER DATABASE poolkeeper SET timezone = 'UTC'")
            source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=replica"
            replica.run(
                "pg_basebackup", "-D", str(replica.data), "-d", source, "-R", "-X", "stream"
            )
            replica.start()
            primary.ask("ALTER SYSTEM SET synchronous_standby_names = 'replica'")
            primary.ask("SELECT pg_reload_conf()")
            state = "SELECT sync_state FROM pg_stat_replication"
            eventually(lambda: primary.ask(state) == "sync", within=30)
            pair = Pair(primary, replica)
            engine = open_engine(pair.url)
            migrate(engine)
            ensure_partitions(engine)
            engine.dispose()
            yield pair
        finally:
            primary.end(signal.SIGKILL)
            replica.end(signal.SIGKILL)
