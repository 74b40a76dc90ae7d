"""Whatever breaks, each acknowledged record is in the database exactly once."""

import itertools
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from central.database import open_engine
from central.embedded import SUPERUSER
from central.partitions import ensure_partitions
from tests import postgres
from tests.broken_postgres import crash
from tests.central_process import central_processes
from tests.central_server import eventually
from tests.fault_proxy import LossyProxy
from tests.oracle import Oracle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_twenty_kills_of_central(database_url: str, engine: Engine) -> None:
    with central_processes(1, database_url) as (central,):
        oracle = Oracle(engine, lambda: central.url)
        with oracle.load():
            for _ in range(20):
                oracle.progress(20)
                central.kill()
                central.start()
            oracle.progress(20)
        oracle.check()


def test_kills_of_two_replicas_in_turn(database_url: str, engine: Engine) -> None:
    with central_processes(2, database_url) as replicas:
        chance = random.Random(7)
        oracle = Oracle(engine, lambda: chance.choice(replicas).url)
        with oracle.load():
            for victim in itertools.islice(itertools.cycle(replicas), 6):
                oracle.progress(20)
                victim.kill()
                oracle.progress(20)  # the other one goes on
                victim.start()
        oracle.check()


def test_killed_and_terminated_backends(database_url: str, engine: Engine) -> None:
    with central_processes(1, database_url) as (central,):
        oracle = Oracle(engine, lambda: central.url)
        with oracle.load():
            for number in range(12):
                oracle.progress(20)
                for pid in _backends(engine):
                    if number % 4 == 3:
                        os.kill(pid, signal.SIGKILL)  # the server restarts itself after that
                        break
                    _terminate(engine, pid)
            oracle.progress(20)
        oracle.check()


def test_an_immediate_stop_of_postgresql(
    durable: postgres.Cluster, database_url: str, engine: Engine
) -> None:
    with central_processes(1, database_url) as (central,):
        oracle = Oracle(engine, lambda: central.url)
        with oracle.load():
            for _ in range(3):
                oracle.progress(50)
                crash(durable.server)
                before = _refusals(oracle)
                eventually(lambda: _refusals(oracle) > before)  # noqa: B023 # called at once
                durable.server.start()
            oracle.progress(50)
        oracle.check()


def test_replies_that_are_lost_after_the_commit(database_url: str, engine: Engine) -> None:
    with (
        central_processes(1, database_url) as (central,),
        LossyProxy(lambda: central.port, random.Random(3), share=0.3) as proxy,
    ):
        oracle = Oracle(engine, lambda: proxy.url)
        with oracle.load():
            oracle.progress(400)
        assert proxy.lost > 50
        oracle.check()


def test_the_same_heartbeats_to_two_replicas_at_once(database_url: str, engine: Engine) -> None:
    with central_processes(2, database_url) as replicas:
        one, other = replicas
        oracle = Oracle(engine, lambda: one.url, repeat_at=lambda: other.url)
        with oracle.load():
            oracle.progress(300)
        oracle.check()


def test_missing_partitions(database_url: str, engine: Engine) -> None:
    with central_processes(1, database_url) as (central,):
        oracle = Oracle(engine, lambda: central.url)
        with oracle.load():
            oracle.progress(50)
            today = _today(engine)
            with engine.begin() as connection:
                connection.execute(text(f"ALTER TABLE metrics DETACH PARTITION metrics_{today}"))
                connection.execute(text(f"ALTER TABLE metrics_{today} RENAME TO aside"))
            oracle.progress(50)
        oracle.check("aside")
        assert ensure_partitions(engine) == []  # central made what was missing


def test_a_full_disk(durable: postgres.Cluster, database_url: str, engine: Engine) -> None:
    """Mounting a small file system for a tablespace takes root."""
    small = Path("/tmp") / f"pk-small-{os.getpid()}"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(small)], check=True)
    try:
        _move_history(durable, engine, small)
        with central_processes(1, database_url) as (central,):
            oracle = Oracle(engine, lambda: central.url)
            with oracle.load():
                oracle.progress(50)
                ballast = small / "ballast"
                _fill(ballast)
                before = _refusals(oracle)
                eventually(lambda: _refusals(oracle) > before + 50, within=60)
                with engine.connect() as connection:  # reading goes on
                    assert connection.execute(text("SELECT count(*) FROM nodes")).scalar() == 8
                ballast.unlink()
                oracle.progress(50)  # and writing resumes by itself
            oracle.check()
    finally:
        engine.dispose()
        crash(durable.server)
        subprocess.run(["umount", "--lazy", str(small)], check=True)
        small.rmdir()


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(b"\0" * 4096)
        except OSError:
            return


def _move_history(durable: postgres.Cluster, engine: Engine, place: Path) -> None:
    """Put today's partition of metrics, which is under load, on the small disk."""
    data = place / "data"
    data.mkdir(mode=0o700)
    owner = (durable.server.directory / "pgdata").stat()
    for path in (place, data):
        os.chown(path, owner.st_uid, owner.st_gid)
    database = engine.url.database
    admin = open_engine(durable.server.url(SUPERUSER, str(database)))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE TABLESPACE small OWNER poolkeeper LOCATION '{data}'"))
        connection.execute(text(f"ALTER TABLE metrics_{_today(engine)} SET TABLESPACE small"))
    admin.dispose()


def _today(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT to_char(now(), 'YYYYMMDD')")).scalar())


def _refusals(oracle: Oracle) -> int:
    return sum(n for agent in oracle.agents for s, n in agent.answers.items() if s == 503)


def _backends(engine: Engine) -> list[int]:
    found = text(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        return [row.pid for row in connection.execute(found)]


def _terminate(engine: Engine, pid: int) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
