"""The embedded PostgreSQL: private, durable, one owner, and recovered after a kill."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from central import postgres_binaries
from central.embedded import DATABASE, LONGEST_SOCKET_PATH, ROLE, SUPERUSER, EmbeddedPostgres
from central.errors import StartError
from tests.postgres import short_directory

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(directory)
    server.start()
    yield server
    server.stop()


def ask(server: EmbeddedPostgres, statement: str, role: str = ROLE) -> str:
    address = server.url(role, DATABASE).replace("+psycopg2", "")
    with contextlib.closing(psycopg2.connect(address)) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        row = cursor.fetchone()
        return str(row[0]) if row else ""


def postmaster(directory: Path) -> int:
    return int((directory / "pgdata" / "postmaster.pid").read_text().split()[0])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_locked_down(server: EmbeddedPostgres, directory: Path) -> None:
    settings = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    assert {name: ask(server, f"SHOW {name}") for name in settings} == settings
    assert mode(directory / "pgdata") == mode(directory / "run") == 0o700
    assert (
        mode(directory / f"{ROLE}.password") == mode(directory / f"{SUPERUSER}.password") == 0o600
    )
    rules = "SELECT string_agg(DISTINCT type || ' ' || auth_method, ', ') FROM pg_hba_file_rules"
    assert ask(server, rules, SUPERUSER) == "host reject, local scram-sha-256"


def test_its_role_owns_its_database_and_nothing_else(server: EmbeddedPostgres) -> None:
    rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = USER"
    assert ask(server, rights) == "False"
    owner = "SELECT datdba::regrole FROM pg_database WHERE datname = current_database()"
    assert ask(server, owner) == ROLE


def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    address = server.url(ROLE, DATABASE).replace("+psycopg2", "")
    wrong = address.replace(address.split(":")[2].split("@")[0], "wrong")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(wrong)


def test_it_stops_with_its_owner_and_keeps_what_it_holds(directory: Path) -> None:
    for wanted in ("1", "2"):
        server = EmbeddedPostgres(directory)
        address = server.start().replace("+psycopg2", "")
        with contextlib.closing(psycopg2.connect(address)) as connection:
            connection.cursor().execute("CREATE TABLE IF NOT EXISTS kept (n int)")
            connection.cursor().execute("INSERT INTO kept VALUES (1)")
            connection.commit()
        assert ask(server, "SELECT count(*) FROM kept") == wanted
        pid = postmaster(directory)
        server.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_one_owner_at_a_time(server: EmbeddedPostgres, directory: Path) -> None:
    with pytest.raises(StartError, match="Another central is using"):
        EmbeddedPostgres(directory).start()
    assert ask(server, "SELECT 1") == "1"


def test_a_command_may_attach_to_the_one_that_runs(
    server: EmbeddedPostgres, directory: Path
) -> None:
    assert EmbeddedPostgres(directory).attach() == server.url(ROLE, DATABASE)


def test_nothing_to_attach_to_is_none(directory: Path) -> None:
    assert EmbeddedPostgres(directory).attach() is None


def test_a_server_left_by_a_killed_central_is_stopped_first(directory: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from central.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres(Path(sys.argv[1])).start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(directory)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    orphan = postmaster(directory)
    os.kill(orphan, 0)
    server = EmbeddedPostgres(directory)
    server.start()
    assert postmaster(directory) != orphan
    assert ask(server, "SELECT 1") == "1"
    server.stop()


def test_a_killed_server_recovers(directory: Path) -> None:
    server = EmbeddedPostgres(directory)
    server.start()
    os.kill(postmaster(directory), signal.SIGKILL)
    server.stop()
    assert (directory / "pgdata" / "postmaster.pid").exists()
    again = EmbeddedPostgres(directory)
    again.start()
    assert ask(again, "SELECT 1") == "1"
    again.stop()


def test_a_pid_file_that_names_somebody_else_is_forgotten(directory: Path) -> None:
    server = EmbeddedPostgres(directory)
    server.start()
    server.stop()
    (directory / "pgdata" / "postmaster.pid").write_text(f"{os.getpid()}\n{directory}\n")
    server.start()
    assert ask(server, "SELECT 1") == "1"
    server.stop()


def test_an_interrupted_creation_is_done_anew(directory: Path) -> None:
    half = directory / "pgdata.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    server = EmbeddedPostgres(directory)
    server.start()
    assert ask(server, "SELECT 1") == "1"
    assert not half.exists()
    server.stop()


def test_a_long_path_gets_a_short_private_socket(directory: Path) -> None:
    deep = directory
    directory.chmod(0o711)
    while len(str(deep)) < LONGEST_SOCKET_PATH:
        deep = deep / "a-rather-long-name"
        deep.mkdir(mode=0o711)
    server = EmbeddedPostgres(deep)
    url = server.start()
    socket = Path(url.partition("host=")[2].replace("%2F", "/"))
    assert not socket.is_relative_to(directory)
    assert mode(socket) == 0o700
    assert ask(server, "SELECT 1") == "1"
    server.stop()
    assert not socket.exists()


def test_a_server_that_does_not_start_says_where_its_log_is(directory: Path) -> None:
    with pytest.raises(StartError, match=r"its log .*postgres.log tells why"):
        EmbeddedPostgres(directory, {"shared_buffers": "nonsense"}).start()
    assert "shared_buffers" in (directory / "postgres.log").read_text()
    server = EmbeddedPostgres(directory)  # the failed start has let go of the directory
    server.start()
    server.stop()


AS_A_USER = """
import encodings.ascii, os, sys
from pathlib import Path
from central.embedded import EmbeddedPostgres
from central.postgres_binaries import Account, reachable_install
home = Path(sys.argv[1])
if os.geteuid() == 0:
    reachable_install(home, Account("nobody", 65534, 65534))  # the checkout may be out of its reach
    os.chown(home, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
server = EmbeddedPostgres(home)
server.start()
server.stop()
"""


def test_an_ordinary_user_runs_it_too(directory: Path) -> None:
    directory.chmod(0o711)
    home = directory / "home"
    home.mkdir(mode=0o755)
    done = subprocess.run(
        [sys.executable, "-c", AS_A_USER, str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert mode(home / "pgdata") == 0o700
    assert (home / "pgdata").stat().st_uid == (65534 if os.geteuid() == 0 else os.geteuid())


def test_binaries_out_of_reach_are_copied_beside_the_data(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = directory / "venv"
    original = postgres_binaries.installed()
    install = hidden / original.relative_to(original.parents[1])
    shutil.copytree(original, install, symlinks=True)
    libraries = f"{original.parent.name}.libs"
    shutil.copytree(original.parents[1] / libraries, hidden / libraries)
    hidden.chmod(0o700)  # an account that root drops to cannot pass; an owner can
    # the place where pip installed the wheel is the one thing that cannot be handed in
    monkeypatch.setattr(postgres_binaries, "installed", lambda: install)
    data = directory / "data"
    directory.chmod(0o711)
    server = EmbeddedPostgres(data)
    server.start()
    assert ask(server, "SELECT 1") == "1"
    assert (data / "postgresql").is_dir() == (os.geteuid() == 0)
    server.stop()
