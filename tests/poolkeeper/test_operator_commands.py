"""The operators' commands against a real central: what they print, where they exit."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from central.passwords import hash_password
from central.store import users
from poolkeeper.cli import cli
from shared.config.hashing import config_hash
from tests import postgres
from tests.central_server import RunningCentral, running_central
from tests.heartbeats import CONFIG, analytics, beat

EMAIL, PASSWORD = "anna@example.com", "correct horse battery"


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture
def central(cluster: postgres.Cluster) -> Iterator[RunningCentral]:
    with running_central(cluster.new_database()) as running:
        with running.whole.engine.begin() as connection:
            users.create(connection, EMAIL, "ADMIN", "Anna", hash_password(PASSWORD, cost=4))
        yield running


class Shell:
    """Runs `poolkeeper …` with a configuration directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"POOLKEEPER_CONFIG_DIR": str(home), "COLUMNS": "200", "NO_COLOR": "1"}

    def __call__(self, *words: str, text: str | None = None) -> Result:
        return CliRunner(env=self.environment).invoke(cli, list(words), input=text)

    def ok(self, *words: str, text: str | None = None) -> str:
        done = self(*words, text=text)
        assert done.exit_code == 0, done.output
        return done.stdout

    def file(self, text: str) -> str:
        path = self.home / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
def shell(central: RunningCentral, tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    words = ("login", "--url", central.url, "--email", EMAIL, "--password-stdin")
    assert "as anna@example.com (ADMIN)" in shell.ok(*words, text=PASSWORD + "\n")
    return shell


def test_a_session_is_kept_privately_until_logout(central: RunningCentral, shell: Shell) -> None:
    file = shell.home / "session.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()
    assert shell.ok("whoami") == "anna@example.com (ADMIN), Anna\n"
    shell.ok("logout")
    assert not file.exists()
    gone = shell("whoami", "--url", central.url)
    assert (gone.exit_code, gone.stderr) == (2, "Error: Log in first: poolkeeper login.\n")


def test_a_wrong_password_is_a_failure(central: RunningCentral, shell: Shell) -> None:
    done = shell("login", "--url", central.url, "--email", EMAIL, "--password-stdin", text="no\n")
    assert (done.exit_code, done.stderr) == (2, "Error: The address or the password is wrong.\n")


@pytest.mark.parametrize("url", ["http://central.example.com", "ftp://127.0.0.1", "central"])
def test_secrets_do_not_travel_in_the_clear(shell: Shell, url: str) -> None:
    done = shell("whoami", "--url", url)
    assert done.exit_code == 2
    assert "use https://" in done.stderr


def test_a_token_goes_only_to_the_central_that_gave_it(shell: Shell) -> None:
    done = shell("whoami", "--url", "http://127.0.0.1:1")
    assert done.exit_code == 2
    assert "does not answer" in done.stderr


def test_a_key_is_printed_once_and_alone(central: RunningCentral, shell: Shell) -> None:
    done = shell("node", "create", "n1", "--region", "eu-frankfurt-1")
    assert done.stdout.startswith("pk_node_1_")
    assert len(done.stdout.split()) == 1
    again = shell("node", "create", "n1", "--region", "eu-frankfurt-1")
    assert (again.exit_code, again.stderr) == (1, "Error: There is already a node 'n1'.\n")


def test_nodes_are_listed_and_shown(central: RunningCentral, shell: Shell) -> None:
    created = json.loads(shell.ok("node", "create", "n1", "--region", "r1", "--json"))
    central.push("n1", CONFIG)
    with central.client(created["api_key"]) as agent:
        report = {"running_hash": config_hash(CONFIG), "status": "applied"}
        agent.post("/v1/heartbeat", json=beat(1, config=report))
    (line,) = shell.ok("node", "list").splitlines()[1:]
    assert line.split()[:4] == ["n1", "r1", "ACTIVE", "1"]
    assert "applied (generation 1)" in line
    (listed,) = json.loads(shell.ok("node", "list", "--json"))
    assert listed == json.loads(shell.ok("node", "show", "n1", "--json"))
    assert "status:             ACTIVE" in shell.ok("node", "show", "n1")
    missing = shell("node", "show", "nobody")
    assert (missing.exit_code, missing.stderr) == (1, "Error: There is no node 'nobody'.\n")


def test_push_pull_diff_history_rollback(central: RunningCentral, shell: Shell) -> None:
    central.create_node("n1")
    first = json.loads(shell.ok("config", "push", "n1", shell.file(CONFIG), "--json"))
    assert (first["generation"], first["config_hash"]) == (1, config_hash(CONFIG))
    wider = CONFIG.replace("max: 20", "max: 30")
    assert "generation 2" in shell.ok("config", "push", "n1", shell.file(wider))
    assert "already" in shell.ok("config", "push", "n1", shell.file(wider))
    assert shell.ok("config", "pull", "n1") == wider
    assert shell.ok("config", "pull", "n1", "--generation", "1") == CONFIG
    saved = shell.home / "saved.yaml"
    shell.ok("config", "pull", "n1", "-o", str(saved))
    assert saved.read_text() == wider
    assert "+    limits: {min: 2, max: 30}" in shell.ok("config", "diff", "n1")
    assert "-    limits: {min: 2, max: 30}" in shell.ok("config", "diff", "n1", shell.file(CONFIG))
    same = json.loads(shell.ok("config", "diff", "n1", shell.file(wider), "--json"))
    assert same == {"same": True, "diff": ""}
    assert "generation 3" in shell.ok("config", "rollback", "n1", "1")
    lines = shell.ok("config", "history", "n1").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["3", "2", "1"]
    assert "active, rollback to 1" in lines[1]
    assert EMAIL in lines[1]


def test_a_bad_file_is_refused_with_every_place(central: RunningCentral, shell: Shell) -> None:
    central.create_node("n1")
    bad = CONFIG.replace("min: 2, max: 20", "min: 5, max: 3").replace("region:", "regoin:")
    done = shell("config", "push", "n1", shell.file(bad))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: The configuration has ")
    assert "  line 6, column 5: pools[0].regoin: " in done.stderr
    assert done.stderr.count("pools[0].region: is missing") == 1


def test_a_push_that_terminates_instances_asks_first(central: RunningCentral, shell: Shell) -> None:
    with central.client(central.create_node("n1")) as agent:
        central.push("n1", CONFIG)
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=12)))
    small = shell.file(CONFIG.replace("max: 20", "max: 3"))
    refused = shell("config", "push", "n1", small)
    assert refused.exit_code == 1
    assert "terminates 9 of 12 instances in web now: add --allow-shrink 9" in refused.stderr
    shell.ok("config", "push", "n1", small, "--allow-shrink", "9")


def test_somebody_elses_change_is_not_overwritten(central: RunningCentral, shell: Shell) -> None:
    central.create_node("n1")
    first = central.push("n1", CONFIG)
    central.push("n1", CONFIG + "# theirs\n")
    mine = shell.file(CONFIG + "# mine\n")
    done = shell("config", "push", "n1", mine, "--if-match", first.config_hash)
    assert done.exit_code == 1
    assert "changed by somebody else" in done.stderr


def test_retry_offers_again_what_was_refused(central: RunningCentral, shell: Shell) -> None:
    with central.client(central.create_node("n1")) as agent:
        pushed = central.push("n1", CONFIG)
        report = {"failed_hash": pushed.config_hash, "status": "failed", "error": "not today"}
        agent.post("/v1/heartbeat", json=beat(1, config=report))
        assert "refused: not today" in shell.ok("node", "list")
        assert "is offered" in shell.ok("config", "retry", "n1")
        answer = agent.post("/v1/heartbeat", json=beat(2, config=report)).json()
    assert answer["yaml_config"] == CONFIG


def test_pools_that_never_reported_have_no_size_and_retired_ones_are_not_counted(
    central: RunningCentral, shell: Shell
) -> None:
    with central.client(central.create_node("n1")) as agent:
        central.push("n1", CONFIG)
        (line,) = shell.ok("pool", "list").splitlines()[1:]
        assert line.split()[3:] == ["–", "2", "20", "–"]
        assert "1 pools, 0 instances" in shell("status").stdout
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=5)))
        (line,) = shell.ok("pool", "list").splitlines()[1:]
        assert line.split()[3:] == ["5", "2", "20", "healthy"]
        assert "1 pools, 5 instances" in shell("status").stdout
    central.push("n1", "version: 1\npools: []\n")
    assert "0 pools, 0 instances" in shell("status").stdout


@pytest.mark.parametrize("saved", [None, "{damaged"])
def test_without_a_session_a_command_says_to_log_in(tmp_path: Path, saved: str | None) -> None:
    if saved is not None:
        (tmp_path / "session.json").write_text(saved, encoding="utf-8")
    done = Shell(tmp_path)("node", "list")
    assert (done.exit_code, done.stderr) == (
        2,
        "Error: Log in first: poolkeeper login --url https://CENTRAL.\n",
    )


def test_looking_after_a_node(central: RunningCentral, shell: Shell) -> None:
    first = central.create_node("n1")
    second = shell.ok("node", "rotate-key", "n1", "--overlap", "7d").strip()
    assert second.startswith("pk_node_1_")
    assert second != first
    assert shell.ok("node", "revoke-keys", "n1") == "Revoked 1 of n1's keys.\n"
    assert shell.ok("node", "maintenance", "n1", "--reason", "disk") == "n1 is in maintenance.\n"
    assert shell.ok("node", "maintenance", "n1", "--off") == "n1 is expected to be heard.\n"
    assert shell("node", "rotate-key", "n1", "--overlap", "soon").exit_code == 2
    refused = shell("node", "delete", "n1", text="n2\n")
    assert (refused.exit_code, "confirm with its name" in refused.output) == (1, True)
    assert shell.ok("node", "delete", "n1", text="n1\n") == "Deleted n1.\n"
    assert central.rows("SELECT * FROM nodes") == []


def test_the_events_of_a_pool_are_told_newest_last(central: RunningCentral, shell: Shell) -> None:
    key = central.create_node("n1")
    central.push("n1", CONFIG)
    now = datetime.now(UTC)
    grown = analytics(
        1,
        timestamp=(now - timedelta(minutes=2)).isoformat(),
        scaling_event="SCALE_OUT",
        scaling_reason="scales out from 3 to 5: CPU [bold]",
        decision={"before": 3, "to": 5},
    )
    failed = {**grown, "sequence": 2, "scaling_event": "CAPACITY_ERROR", "decision": None}
    failed |= {"timestamp": (now - timedelta(minutes=1)).isoformat()}
    with central.client(key) as agent:
        assert agent.post("/v1/heartbeat", json=beat(1, grown, failed)).status_code == 200
    first, second = shell.ok("pool", "events", "n1/web").splitlines()[1:]
    assert "SCALE_OUT       3 → 5" in first
    assert "CPU [bold]" in first, "a reason is text, not markup"
    assert "CAPACITY_ERROR  3" in second
    told = json.loads(shell.ok("pool", "events", "web", "--limit", "1", "--json"))
    assert [row["scaling_event"] for row in told] == ["CAPACITY_ERROR"]
    assert shell("pool", "events", "nothing").exit_code == 1
