"""`central backup-check` on real dumps: sound ones, and such that lack something."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from central.commands import central as central_command
from central.postgres_binaries import installed
from central.store import users
from tests import postgres
from tests.central_server import running_central
from tests.heartbeats import CONFIG, analytics, beat

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="module")
def store(cluster: postgres.Cluster) -> str:
    """The URL of a database with a node, its configuration and some history."""
    url = cluster.new_database()
    with running_central(url) as central:
        with central.whole.engine.begin() as connection:
            users.create(connection, "root@example.com", "ADMIN", "Root", "x")
        with central.client(central.create_node("n1")) as agent:
            central.push("n1", CONFIG)
            answer = agent.post("/v1/heartbeat", json=beat(1, analytics(1)))
            assert answer.status_code == 200
    return url


def dump(url: str, file: Path, *options: str) -> Path:
    parts = make_url(url)
    environment = {
        **os.environ,
        "PGHOST": str(parts.query["host"]),
        "PGUSER": str(parts.username),
        "PGPASSWORD": str(parts.password),
    }
    command = [str(installed() / "bin" / "pg_dump"), f"--file={file}", *options]
    if not any(option.startswith("--format") for option in options):
        command.append("--format=custom")
    subprocess.run([*command, str(parts.database)], env=environment, check=True, timeout=60)
    return file


def check(*words: str) -> Result:
    return CliRunner().invoke(central_command, ["backup-check", *words])


def test_a_sound_dump_can_be_restored(store: str, tmp_path: Path) -> None:
    done = check(str(dump(store, tmp_path / "a.dump")), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["ok"]
    assert report["problems"] == []
    assert report["counts"]["node_configurations"] == 1
    assert report["counts"]["pool_analytics"] == 1
    assert report["audit_rows"] == report["counts"]["audit_logs"] > 0
    assert report["newest_record"].endswith("Z")


def test_what_was_left_out_is_named(store: str, tmp_path: Path) -> None:
    file = dump(store, tmp_path / "b.dump", "--exclude-table-data=node_configurations")
    done = check(str(file))
    assert done.exit_code == 1
    assert "node_configurations is empty" in done.stderr
    assert "node n1: its active configuration is missing" in done.stderr


def test_a_trail_that_was_changed_is_found(cluster: postgres.Cluster, tmp_path: Path) -> None:
    url = cluster.new_database()
    with running_central(url) as central:
        central.create_node("n1")
        central.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")
        central.execute("UPDATE audit_logs SET action = 'NOTHING'")
    done = check(str(dump(url, tmp_path / "c.dump")))
    assert done.exit_code == 1
    assert "the row, or its hash, was changed" in done.stderr


def test_a_truncated_dump_cannot_be_restored(store: str, tmp_path: Path) -> None:
    file = dump(store, tmp_path / "d.dump")
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    done = check(str(file))
    assert (done.exit_code, "PROBLEM: pg_restore" in done.stderr) == (1, True)


def test_what_is_no_dump_is_refused(store: str, tmp_path: Path) -> None:
    plain = dump(store, tmp_path / "e.sql", "--format=plain")
    done = check(str(plain))
    assert (done.exit_code, "pg_dump --format=custom" in done.stderr) == (2, True)


def test_a_dump_of_something_else_says_so(cluster: postgres.Cluster, tmp_path: Path) -> None:
    done = check(str(dump(cluster.empty_database(), tmp_path / "f.dump")))
    assert (done.exit_code, "no schema of Poolkeeper" in done.stderr) == (1, True)
