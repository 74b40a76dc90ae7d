"""Enrolment from the operator's token to the node's first heartbeat, with the real commands."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands_install import install
from agent.install.facts import MARKER
from agent.install.release import from_file
from poolkeeper.cli import cli
from tests import postgres
from tests.central_server import RunningCentral, running_central
from tests.heartbeats import beat
from tests.install_facts import tiny_wheel


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture
def central(cluster: postgres.Cluster) -> Iterator[RunningCentral]:
    with running_central(cluster.new_database()) as running:
        yield running


class Shells:
    """An operator's shell and one on the machine that becomes a node."""

    def __init__(self, central: RunningCentral, home: Path) -> None:
        self.central, self.home = central, home
        self.key_file = home / "credentials" / "api_key"

    def operator(self, *words: str) -> Result:
        token = self.central.operator("DEVOPS").headers["Authorization"].removeprefix("Bearer ")
        environment = {
            "POOLKEEPER_TOKEN": token,
            "POOLKEEPER_CENTRAL_URL": self.central.url,
            "POOLKEEPER_CONFIG_DIR": str(self.home),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }
        return CliRunner(env=environment).invoke(cli, ["node", *words])

    def token(self, *words: str) -> str:
        done = self.operator("enroll-token", "create", *words)
        assert done.exit_code == 0, done.output
        assert len(done.stdout.split()) == 1, "the token stands alone, for a pipe"
        assert f"poolkeeper node enroll --url {self.central.url} --name" in done.stderr
        return done.stdout

    def node(self, token: str, *words: str) -> Result:
        command = ["node", "enroll", "--url", self.central.url, "--token-file", "-"]
        command += ["--key-file", str(self.key_file), *words]
        return CliRunner().invoke(cli, command, input=token)


@pytest.fixture
def shells(central: RunningCentral, tmp_path: Path) -> Shells:
    return Shells(central, tmp_path)


def test_from_a_token_to_the_first_heartbeat(central: RunningCentral, shells: Shells) -> None:
    token = shells.token("--name", "web-*", "--region", "eu-frankfurt-1", "--expires", "1h")
    done = shells.node(token, "--name", "web-1")
    assert done.exit_code == 0, done.output
    assert "This machine is the node web-1 (eu-frankfurt-1)" in done.stdout
    key = shells.key_file.read_text().strip()
    assert key not in done.output
    assert stat.S_IMODE(shells.key_file.stat().st_mode) == 0o600
    with central.client(key) as agent:
        assert agent.post("/v1/heartbeat", json=beat(1)).status_code == 200
    (listed,) = json.loads(shells.operator("enroll-token", "list", "--json").stdout)
    assert (listed["state"], listed["node"]) == ("used", "web-1")
    (line,) = shells.operator("enroll-token", "list").stdout.splitlines()[1:]
    assert line.split()[:3] == ["1", "used", "web-*"]


def test_a_second_machine_is_refused_in_one_sentence(shells: Shells, tmp_path: Path) -> None:
    token = shells.token("--name", "web-*")
    assert shells.node(token, "--name", "web-1", "--region", "r1").exit_code == 0
    shells.key_file = tmp_path / "other" / "api_key"
    done = shells.node(token, "--name", "web-2", "--region", "r1")
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: The enrolment token was used already, for the node web-1: ask for another.\n"
    )
    assert not shells.key_file.exists()


def test_a_revoked_token_opens_nothing(shells: Shells) -> None:
    token = shells.token("--name", "web-1")
    assert "is revoked" in shells.operator("enroll-token", "revoke", "1").stdout
    done = shells.node(token, "--name", "web-1", "--region", "r1")
    assert (done.exit_code, "was revoked" in done.stderr) == (1, True)
    missing = shells.operator("enroll-token", "revoke", "9")
    assert (missing.exit_code, missing.stderr) == (1, "Error: There is no enrolment token '9'.\n")


def test_a_token_for_anybody_is_not_made(shells: Shells) -> None:
    done = shells.operator("enroll-token", "create")
    assert done.exit_code == 2
    assert "Say for whom it is" in done.stderr


def test_an_address_in_the_clear_is_refused(shells: Shells, tmp_path: Path) -> None:
    words = ["node", "enroll", "--url", "http://central.example.com", "--name", "n", "--token-file"]
    done = CliRunner().invoke(cli, [*words, "-", "--key-file", str(tmp_path / "k")], input="t")
    assert done.exit_code == 2
    assert "use https://" in done.stderr


def test_a_key_is_renewed_through_the_agent(central: RunningCentral, shells: Shells) -> None:
    key = central.create_node("n1")
    able = {"capabilities": ["next_api_key"]}
    with central.client(key) as agent:
        agent.post("/v1/heartbeat", json=beat(1, **able))
        done = shells.operator("rotate-key", "n1", "--through-agent")
        assert done.exit_code == 0, done.output
        assert "pk_node" not in done.output
        assert agent.post("/v1/heartbeat", json=beat(2, **able)).json()["next_api_key"]
    view = json.loads(shells.operator("show", "n1", "--json").stdout)
    assert view["rotate_key_since"] is not None


def test_the_installer_enrols_the_machine_and_a_second_run_does_not(
    central: RunningCentral, shells: Shells, tmp_path: Path
) -> None:
    root, wheel = tmp_path / "image", tiny_wheel(tmp_path, "1.0")
    home = root / "opt/poolkeeper/releases" / from_file(wheel).name
    home.mkdir(parents=True)
    (home / MARKER).touch()
    command = ["--root", str(root), "--from", str(wheel), "--central-url", central.url]
    command += ["--enroll-token-file", "-", "--node-name", "web-1", "--region", "r1"]
    token = shells.token("--name", "web-1")
    rehearsed = CliRunner().invoke(install, [*command, "--dry-run"], input=token)
    assert rehearsed.exit_code == 0, rehearsed.output
    assert central.rows("SELECT 1 FROM nodes") == []
    done = CliRunner().invoke(install, command, input=token)
    assert done.exit_code == 0, done.output
    key_file = root / "etc/poolkeeper/credentials/api_key"
    key = key_file.read_text().strip()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert key not in done.output
    assert token.strip() not in done.output
    with central.client(key) as agent:
        assert agent.post("/v1/heartbeat", json=beat(1)).status_code == 200
    assert CliRunner().invoke(install, command, input=token).output == "Nothing to do.\n"
    drop_in = root / "etc/systemd/system/poolkeeper-agent.service.d/10-credentials.conf"
    assert "LoadCredential=api_key:" in drop_in.read_text()


def test_the_installer_says_what_it_lacks_to_enrol(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path, "1.0")
    words = ["--root", str(tmp_path / "image"), "--from", str(wheel), "--enroll-token-file", "-"]
    done = CliRunner().invoke(install, [*words, "--node-name", "web-1"], input="t")
    assert done.exit_code == 2
    assert "--enroll-token-file also needs --central-url and --node-name" in done.output
