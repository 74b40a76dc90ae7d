"""Install, install again, upgrade, roll back, uninstall: on disk, below a directory."""

import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.install.execute import execute, probe
from agent.install.facts import Facts, gather
from agent.install.layout import CREDENTIALS, Layout
from agent.install.plan import Wishes, plan_install, plan_rollback, plan_uninstall
from agent.install.pythons import Python, base_python
from agent.install.release import from_file
from agent.install.steps import InstallError, Link, Run, Step, WriteFile
from tests.install_facts import tiny_wheel

CENTRAL = {"POOLKEEPER_CENTRAL_URL": "https://central.example.com"}
KEYS = dict.fromkeys(CREDENTIALS, b"secret\n")


def look(root: Path) -> Facts:
    """The facts, with the Python of the tests whatever the rules for a node say about it."""
    version = (sys.version_info.major, sys.version_info.minor)
    python = Python(base_python(), version, has_venv=True)
    return replace(gather(Layout(root), base_python(), probe), find_python=lambda: python)


def do(steps: list[Step]) -> None:
    execute(steps, lambda _: None)


def version_in(root: Path) -> str:
    """The version that the unit would start."""
    python = root / "opt/poolkeeper/current/bin/python"
    code = "from importlib.metadata import version; print(version('poolkeeper'))"
    return subprocess.check_output([python, "-I", "-c", code], text=True).strip()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_node_lives_through_releases(tmp_path: Path) -> None:
    root = tmp_path / "image"
    first, second = (from_file(tiny_wheel(tmp_path, version)) for version in ("1.0", "1.1"))
    wishes = Wishes(first, tmp_path, settings=CENTRAL, credentials=KEYS)
    do(plan_install(look(root), wishes))
    assert version_in(root) == "1.0"
    assert plan_install(look(root), Wishes(first, tmp_path)) == []

    do(plan_install(look(root), Wishes(second, tmp_path)))
    assert version_in(root) == "1.1"
    unit = root / "etc/systemd/system/poolkeeper-agent.service"
    assert unit.read_text().endswith("# 1.1\n")

    do(plan_rollback(look(root)))
    assert version_in(root) == "1.0"
    assert unit.read_text().endswith("# 1.0\n")
    settings = root / "etc/poolkeeper/agent.env"
    assert "https://central.example.com" in settings.read_text()

    do(plan_uninstall(look(root), purge=False))
    assert settings.exists()
    assert not (root / "opt/poolkeeper").exists()
    assert not unit.exists()
    do(plan_uninstall(look(root), purge=True))
    assert not settings.exists()


def test_secrets_are_for_root_alone_and_never_wider_in_between(tmp_path: Path) -> None:
    secret = tmp_path / "credentials" / "api_key"
    do([WriteFile(secret, b"one", 0o600), WriteFile(secret, b"two", 0o600)])
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_bytes() == b"two"
    assert list(secret.parent.iterdir()) == [secret]


def test_a_failed_command_is_told_with_what_it_printed(tmp_path: Path) -> None:
    failing = Run((sys.executable, "-c", "import sys; sys.exit('no room left')"), "a try")
    with pytest.raises(InstallError, match="no room left"):
        do([failing, WriteFile(tmp_path / "never", b"")])
    assert not (tmp_path / "never").exists()
    do([replace(failing, may_fail=True)])


def test_a_command_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    theirs = tmp_path / "poolkeeper"
    theirs.write_text("theirs")
    with pytest.raises(InstallError, match="no link of ours"):
        do([Link(theirs, "/opt/poolkeeper/current/bin/poolkeeper")])
    assert theirs.read_text() == "theirs"
