"""The commands themselves, below a directory; the environment is there already."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.commands_install import install, uninstall, upgrade
from agent.install.facts import MARKER
from agent.install.release import from_file
from tests.install_facts import tiny_wheel

URL = "https://central.example.com"
Call = Callable[..., Result]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "image"


@pytest.fixture
def wheel(tmp_path: Path, root: Path) -> Path:
    found = tiny_wheel(tmp_path, "1.0")
    home = root / "opt/poolkeeper/releases" / from_file(found).name
    home.mkdir(parents=True)
    (home / MARKER).touch()
    return found


@pytest.fixture
def call(root: Path, wheel: Path) -> Call:
    def run(*words: str, text: str = "") -> Result:
        line = ["--root", str(root), "--from", str(wheel), *words]
        return CliRunner().invoke(install, line, input=text)

    return run


def test_a_key_from_standard_input_is_kept_for_root_and_shown_nowhere(
    call: Call, root: Path
) -> None:
    result = call("--central-url", URL, "--key-file", "-", text="pk_secret\n")
    assert result.exit_code == 0, result.output
    assert "pk_secret" not in result.output
    key = root / "etc/poolkeeper/credentials/api_key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("pk_secret\n", 0o600)
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert f"POOLKEEPER_CENTRAL_URL={URL}\n" in (root / "etc/poolkeeper/agent.env").read_text()


def test_a_second_run_has_nothing_to_do(call: Call) -> None:
    call("--central-url", URL, "--key-file", "-", text="pk_secret\n")
    assert call().output == "Nothing to do.\n"
    steps = json.loads(call("--json").output)
    assert steps == {"dry_run": False, "steps": []}


def test_a_dry_run_tells_and_does_nothing(call: Call, root: Path) -> None:
    result = call("--central-url", URL, "--key-file", "-", "--dry-run", "--json", text="k\n")
    steps = json.loads(result.output)["steps"]
    assert any("credentials/api_key (0600" in step for step in steps)
    assert not (root / "etc").exists()


WRONG = {
    "no key": (["--central-url", URL], "", "no node key"),
    "an empty key": (["--central-url", URL, "--key-file", "-"], "\n", "must be one word"),
    "a key that is a file of something else": (["--key-file", "-"], "a b", "must be one word"),
    "a setting without a value": (["--set", "POOLKEEPER_X"], "", "NAME=VALUE"),
    "a file that is not there": (["--config", "/nowhere.yaml"], "", "cannot be read"),
}


@pytest.mark.parametrize(("words", "text", "sentence"), WRONG.values(), ids=WRONG)
def test_mistakes_are_told_in_a_sentence_and_change_nothing(
    words: list[str], text: str, sentence: str, call: Call, root: Path
) -> None:
    result = call(*words, text=text)
    assert (result.exit_code, sentence in result.output) == (2, True), result.output
    assert not (root / "etc").exists()


def test_upgrade_wants_something_to_upgrade(root: Path, wheel: Path) -> None:
    result = CliRunner().invoke(upgrade, ["--root", str(root), "--from", str(wheel)])
    assert (result.exit_code, "no agent is installed here" in result.output) == (2, True)


def test_uninstall_leaves_settings_and_purge_does_not(call: Call, root: Path) -> None:
    call("--central-url", URL, "--key-file", "-", text="pk_secret\n")
    assert CliRunner().invoke(uninstall, ["--root", str(root)]).exit_code == 0
    assert (root / "etc/poolkeeper/agent.env").exists()
    assert not (root / "opt/poolkeeper").exists()
    assert CliRunner().invoke(uninstall, ["--root", str(root), "--purge"]).exit_code == 0
    assert not (root / "etc/poolkeeper").exists()
