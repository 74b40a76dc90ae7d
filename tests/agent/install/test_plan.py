"""What the installer would do to a node, from nothing but facts."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from agent.install.facts import FileFact
from agent.install.layout import UNIT, Layout
from agent.install.plan import Wishes, plan_install, plan_rollback, plan_uninstall
from agent.install.steps import InstallError, Link, Remove, Run, Step, WriteFile
from agent.install.unit_state import UnitState
from tests.install_facts import UNIT_TEXT, empty_node, release, with_central

LAYOUT = Layout()
NAME = release().name


def written(steps: list[Step]) -> dict[Path, WriteFile]:
    return {step.path: step for step in steps if isinstance(step, WriteFile)}


def commands(steps: list[Step]) -> list[str]:
    return [" ".join(step.words) for step in steps if isinstance(step, Run)]


def settled(**facts: Any) -> Any:
    """A node on which everything that the plan writes is in place."""
    steps = plan_install(empty_node(), with_central())
    files = {
        path: FileFact(hashlib.sha256(file.content).hexdigest(), file.mode)
        for path, file in written(steps).items()
    }
    for path, mode in ((LAYOUT.home, 0o755), (LAYOUT.environments, 0o755), (LAYOUT.etc, 0o755)):
        files[path] = FileFact("", mode)
    files[LAYOUT.credentials] = FileFact("", 0o700)
    there: dict[str, Any] = {
        "files": files,
        "settings": written(steps)[LAYOUT.settings].content.decode(),
        "environments": frozenset({NAME}),
        "current": NAME,
        "command": "/opt/poolkeeper/current/bin/poolkeeper",
        "is_enabled": True,
        "unit": UnitState("active"),
    }
    return empty_node(**(there | facts))


def test_an_empty_node_gets_environment_files_links_and_a_started_unit() -> None:
    steps = plan_install(empty_node(), with_central())
    files = written(steps)
    assert files[LAYOUT.unit].content == UNIT_TEXT
    assert files[LAYOUT.credentials / "api_key"].mode == 0o600
    assert b"LoadCredential=api_key:/etc/poolkeeper/credentials/api_key" in (
        files[LAYOUT.drop_in].content
    )
    assert b"oci_key.pem" not in files[LAYOUT.drop_in].content
    assert Link(LAYOUT.current, f"releases/{NAME}") in steps
    assert commands(steps)[-3:] == [
        "systemctl daemon-reload",
        f"systemctl --quiet enable {UNIT}",
        f"systemctl --no-block restart {UNIT}",
    ]


def test_the_link_is_switched_only_after_the_environment_is_whole() -> None:
    steps = plan_install(empty_node(), with_central())
    marker = next(n for n, step in enumerate(steps) if str(step).count(".complete"))
    assert marker < steps.index(Link(LAYOUT.current, f"releases/{NAME}"))


def test_no_step_shows_a_secret() -> None:
    steps = plan_install(empty_node(), with_central())
    shown = "\n".join([*map(str, steps), *map(repr, steps), repr(with_central())])
    assert "pk_secret" not in shown


def test_a_second_run_does_nothing() -> None:
    assert plan_install(settled(), Wishes(release())) == []
    assert plan_install(settled(), with_central()) == []


DRIFT = {
    "a credential that others may read": (
        {LAYOUT.credentials / "api_key": FileFact("", 0o644)},
        LAYOUT.credentials / "api_key",
    ),
    "a unit that was edited": ({LAYOUT.unit: FileFact("", 0o644)}, LAYOUT.unit),
}


@pytest.mark.parametrize(("changed", "path"), DRIFT.values(), ids=DRIFT)
def test_what_drifted_is_put_right_and_the_agent_restarted(
    changed: dict[Path, FileFact], path: Path
) -> None:
    node = settled()
    steps = plan_install(settled(files=node.files | changed), with_central())
    assert list(written(steps)) == [path]
    assert commands(steps)[-1] == f"systemctl --no-block restart {UNIT}"


def test_a_stopped_agent_is_started_and_nothing_else() -> None:
    steps = plan_install(settled(unit=UnitState("inactive")), Wishes(release()))
    assert commands(steps) == [f"systemctl --no-block restart {UNIT}"]


def test_an_agent_that_waits_for_its_first_configuration_is_left_alone() -> None:
    assert plan_install(settled(unit=UnitState("activating")), Wishes(release())) == []


def test_an_upgrade_keeps_the_release_before_and_drops_older_ones() -> None:
    node = settled(environments=frozenset({NAME, "0.8-a"}), previous="0.8-a")
    steps = plan_install(node, Wishes(release("1.1")))
    assert Link(LAYOUT.previous, f"releases/{NAME}") in steps
    assert Link(LAYOUT.current, f"releases/{release('1.1').name}") in steps
    assert [step.path.name for step in steps if isinstance(step, Remove)] == ["0.8-a"]
    assert LAYOUT.settings not in written(steps)


def test_an_environment_that_was_never_finished_is_made_anew() -> None:
    steps = plan_install(empty_node(partial=frozenset({NAME})), with_central())
    assert Remove(LAYOUT.environments / NAME) in steps
    assert sum(isinstance(step, Remove) for step in steps) == 1


def test_a_rollback_swaps_the_two_releases() -> None:
    steps = plan_rollback(settled(environments=frozenset({NAME, "0.9-a"}), previous="0.9-a"))
    assert steps[:2] == [
        Link(LAYOUT.current, "releases/0.9-a"),
        Link(LAYOUT.previous, f"releases/{NAME}"),
    ]
    with pytest.raises(InstallError, match="no previous release"):
        plan_rollback(settled())


def test_offline_no_index_is_asked_and_every_pin_is_checked() -> None:
    offline = commands(plan_install(empty_node(), with_central(wheels=Path("/media/wheels"))))
    pips = [line for line in offline if "pip install" in line]
    assert len(pips) == 2
    assert all("--no-index --find-links /media/wheels" in line for line in pips)
    assert "--require-hashes" in pips[0]
    assert "--no-deps" in pips[1]


def test_in_an_image_nothing_is_started() -> None:
    root = Path("/mnt/image")
    steps = plan_install(empty_node(root), with_central())
    talk = [line for line in commands(steps) if line.startswith("systemctl")]
    assert talk == []
    assert Link(Layout(root).wanted, f"/etc/systemd/system/{UNIT}") in steps
    assert all(path.is_relative_to(root) for path in written(steps))


def test_local_files_are_copied_and_named_as_the_node_sees_them() -> None:
    wishes = Wishes(release(), config=b"version: 1\n", guard=b"pools: {}\n")
    files = written(plan_install(empty_node(Path("/mnt/image")), wishes))
    layout = Layout(Path("/mnt/image"))
    text = files[layout.settings].content.decode()
    assert "POOLKEEPER_AGENT_OPTIONS=--config /etc/poolkeeper/config.yaml\n" in text
    assert "POOLKEEPER_GUARD_FILE=/etc/poolkeeper/guard.yaml\n" in text
    assert files[layout.config].content == b"version: 1\n"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a central without a key": ({"credentials": {}}, "no node key"),
    "neither central nor configuration": ({"settings": {}}, "neither a central"),
    "a key in the settings": ({"settings": {"POOLKEEPER_API_KEY": "x"}}, "is a secret"),
    "http to another host": (
        {"settings": {"POOLKEEPER_CENTRAL_URL": "http://central.example.com"}},
        "unprotected",
    ),
    "somebody else's variable": ({"settings": {"PATH": "/tmp"}}, "no setting of the agent"),
    "two lines in one": (
        {"settings": {"POOLKEEPER_OCI_ENDPOINT": "https://a\nPATH=/tmp"}},
        "line breaks",
    ),
    "an API key without the key": (
        {"settings": {"POOLKEEPER_CENTRAL_URL": "https://c", "POOLKEEPER_OCI_AUTH": "api_key"}},
        "needs a private key",
    ),
}


@pytest.mark.parametrize(("wishes", "sentence"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_refused_before_anything_is_done(
    wishes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InstallError, match=sentence):
        plan_install(empty_node(), with_central(**wishes))


def test_uninstall_keeps_settings_and_secrets() -> None:
    steps = plan_uninstall(settled(), purge=False)
    assert commands(steps)[0] == f"systemctl disable --now {UNIT}"
    removed = {step.path for step in steps if isinstance(step, Remove)}
    assert removed == {LAYOUT.unit, LAYOUT.drop_in, LAYOUT.command, LAYOUT.home}


def test_uninstall_of_nothing_does_nothing() -> None:
    assert plan_uninstall(empty_node(), purge=False) == []
