"""`poolkeeper central` as a process: announced, drained, killed and back; errors in a sentence."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from click.testing import CliRunner, Result

from central.commands import central
from tests.central_server import YAML, eventually
from tests.heartbeats import CONFIG, analytics, beat, metric
from tests.postgres import Cluster, short_directory

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
COMMAND = [sys.executable, "-m", "poolkeeper", "central"]


def environment(**values: str) -> Mapping[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("POOLKEEPER_")}
    return {**kept, **values}


def run(*words: str, **values: str) -> Result:
    return CliRunner(env=values).invoke(central, list(words))


class Serving:
    """A `central serve` process, restartable in its place."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        words = [*COMMAND, "serve", "--port", "0", "--data-dir", str(self.directory), "--json"]
        log = (self.directory / "central.log").open("a")
        with log:
            self._process = subprocess.Popen(
                words, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])

    def end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        status = self._process.wait(30)
        self._process.stdout.close()
        self._process = None
        return status

    def close(self) -> None:
        if self._process is not None:
            self.end(signal.SIGTERM)


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.fixture
def serving(directory: Path) -> Iterator[Serving]:
    serving = Serving(directory)
    yield serving
    serving.close()


def create_user(directory: Path, email: str = "root@example.com") -> None:
    words = ("create-user", "--email", email, "--role", "ADMIN", "--data-dir", str(directory))
    done = run(*words, "--json", POOLKEEPER_PASSWORD=PASSWORD)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["email"] == email


def operator(serving: Serving) -> httpx.Client:
    body = {"email": "root@example.com", "password": PASSWORD}
    answer = httpx.post(f"{serving.url}/v1/login", json=body, timeout=30)
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    return httpx.Client(base_url=serving.url, headers=headers, timeout=30)


def make_node(serving: Serving) -> str:
    with operator(serving) as client:
        body = {"name": "n1", "region": "eu-frankfurt-1"}
        key = str(client.post("/v1/nodes", json=body).json()["api_key"])
        pushed = client.put("/v1/nodes/n1/config", content=CONFIG.encode(), headers=YAML)
        assert pushed.status_code == 200
    return key


def counts(directory: Path) -> dict[str, int]:
    password = (directory / "poolkeeper.password").read_text()
    with contextlib.closing(
        psycopg2.connect(host=str(directory / "run"), user="poolkeeper", password=password)
    ) as connection:
        cursor = connection.cursor()
        found = {}
        for table in ("metrics", "pool_analytics", "node_heartbeats"):
            cursor.execute(f"SELECT count(*) FROM {table}")
            found[table] = cursor.fetchone()[0]  # type: ignore[index] # a count is always a row
        return found


@pytest.mark.slow
def test_a_first_start_needs_two_commands(directory: Path, serving: Serving) -> None:
    create_user(directory)
    serving.start()
    assert serving.url.startswith("http://127.0.0.1:")
    key = make_node(serving)
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"{serving.url}/v1/heartbeat", json=beat(1, metric(1)), headers=headers)
    assert answer.json()["yaml_config"] == CONFIG
    create_user(directory, "second@example.com")  # beside a central that is running
    refused = run("serve", "--port", "0", "--data-dir", str(directory))
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: Another central is using")
    assert serving.end(signal.SIGTERM) == 0
    log = (directory / "central.log").read_text()
    assert "(single host)" in log
    assert "pk_node_" not in log
    assert PASSWORD not in log
    with pytest.raises(psycopg2.OperationalError):
        counts(directory)


@pytest.mark.slow
def test_kills_under_load_lose_nothing_that_was_acknowledged(
    directory: Path, serving: Serving
) -> None:
    create_user(directory)
    serving.start()
    headers = {"Authorization": f"Bearer {make_node(serving)}"}
    sent = heartbeats = 0
    for _ in range(4):
        with httpx.Client(base_url=serving.url, headers=headers, timeout=10) as agent:
            for number in range(1, 26):
                heartbeats += 1
                body = beat(heartbeats, metric(sent + 1), analytics(sent + 2))
                assert agent.post("/v1/heartbeat", json=body).status_code == 200
                sent += 2
                if number == 25:  # the answer to this one is lost on the way
                    again = body
        serving.end(signal.SIGKILL)
        serving.start()
        with httpx.Client(base_url=serving.url, headers=headers, timeout=10) as agent:
            answer = agent.post("/v1/heartbeat", json=again)
            assert answer.json()["ack"]["sequence"] == sent
    wanted = {"metrics": sent // 2, "pool_analytics": sent // 2, "node_heartbeats": heartbeats}
    assert counts(directory) == wanted


def test_an_external_database_is_migrated_only_when_told(cluster: Cluster) -> None:
    url = cluster.empty_database()
    refused = run("serve", "--port", "0", POOLKEEPER_DATABASE_URL=url)
    assert refused.exit_code == 2
    assert "run `poolkeeper central migrate` first" in refused.stderr
    plain = url.replace("postgresql+psycopg2", "postgres")  # as most tools write it
    done = run("migrate", "--json", POOLKEEPER_DATABASE_URL=plain)
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"migrated": True})


FAILURES: dict[str, tuple[dict[str, str], str]] = {
    "nobody there": (
        {"POOLKEEPER_DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:1/db"},
        "The database cannot be reached",
    ),
    "no address": ({"POOLKEEPER_DATABASE_URL": "s3cret"}, "is not a usable address"),
    "another product": ({"POOLKEEPER_DATABASE_URL": "mysql://u:s3cret@h/db"}, "not a usable"),
}


@pytest.mark.parametrize(("values", "sentence"), FAILURES.values(), ids=FAILURES.keys())
def test_what_cannot_start_says_why(values: dict[str, str], sentence: str) -> None:
    done = run("serve", "--port", "0", **values)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "s3cret" not in done.stderr


USERS: dict[str, tuple[dict[str, Any], str]] = {
    "a short password": ({"password": "short"}, "at least 12 characters"),
    "no address": ({"email": "nobody"}, "'nobody' is not an e-mail address"),
    "a second time": ({"email": "twice@example.com"}, "already a user 'twice@example.com'"),
}


@pytest.mark.parametrize(("changes", "sentence"), USERS.values(), ids=USERS.keys())
def test_users_that_are_refused(database_url: str, changes: dict[str, str], sentence: str) -> None:
    given = {"email": "Twice@Example.com", "password": PASSWORD}
    values = {"POOLKEEPER_DATABASE_URL": database_url, "POOLKEEPER_PASSWORD": PASSWORD}
    first = run("create-user", "--email", given["email"], **values)
    assert first.exit_code == 0, first.stderr
    asked = {**given, **changes}
    values["POOLKEEPER_PASSWORD"] = asked["password"]
    done = run("create-user", "--email", asked["email"], **values)
    assert done.exit_code == 2
    assert sentence in done.stderr


@pytest.mark.slow
def test_sigterm_drains(directory: Path, serving: Serving) -> None:
    create_user(directory)
    serving.start()
    headers = {"Authorization": f"Bearer {make_node(serving)}"}
    acknowledged = 0

    def _send_until_refused() -> None:
        nonlocal acknowledged
        agent = httpx.Client(base_url=serving.url, headers=headers, timeout=15)
        with agent, contextlib.suppress(httpx.HTTPError):
            while agent.post("/v1/heartbeat", json=beat(acknowledged + 1)).is_success:
                acknowledged += 1

    with ThreadPoolExecutor(1) as pool:
        sender = pool.submit(_send_until_refused)
        eventually(lambda: acknowledged > 20)
        assert serving.end(signal.SIGTERM) == 0
        sender.result(20)
    serving.start()
    stored = counts(directory)["node_heartbeats"]
    assert acknowledged <= stored <= acknowledged + 1  # a last answer may be lost on the way


@pytest.mark.slow
def test_central_ends_when_its_database_ends(directory: Path, serving: Serving) -> None:
    serving.start()
    os.kill(int((directory / "pgdata" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    assert serving.wait() == 2
    assert "The embedded PostgreSQL ended by itself" in (directory / "central.log").read_text()
