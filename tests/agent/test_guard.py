"""The local guard: what no YAML from elsewhere can exceed."""

from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.guard import read_guard
from tests.agent.rig import Rig, config_yaml, pool_yaml

FAST = {
    "stabilization": "{scale_out: 0s, scale_in: 0s}",
    "cooldown": "{scale_out: 0s, scale_in: 0s}",
    "max_step": "{scale_out: 100%, scale_in: 100%}",
}


def guard_file(home: Path, text: str) -> Path:
    path = home / "guard.yaml"
    path.write_text(text)
    return path


def test_without_a_file_everything_is_allowed() -> None:
    assert read_guard(None).allows("any")


BAD = {
    "a misspelled key": "maxx: 3",
    "negative": "max: -1",
    "min above max": "{min: 5, max: 3}",
    "not a mapping": "[1, 2]",
    "not YAML": "max: [",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_guard_that_cannot_be_read_is_never_ignored(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="guard file"):
        read_guard(guard_file(tmp_path, text))


def test_a_guard_that_is_not_there_is_never_ignored(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="guard file"):
        read_guard(tmp_path / "none")


def test_the_guards_maximum_is_stronger_than_yaml_and_schedules(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=900)
    guard = guard_file(rig.home, "max: 5")
    yaml = config_yaml(
        pool_yaml("web", **FAST),
        more="schedules:\n  - {name: all, start: '00:00', end: '24:00', target_instances: 12}\n",
    )
    agent = rig.agent(yaml, guard_file=guard)
    rig.run(agent, minutes=8)
    assert rig.size("web") == 5


def test_a_reload_reads_the_guard_again_and_a_bad_one_changes_nothing(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=900)
    guard = guard_file(rig.home, "max: 3")
    agent = rig.agent(config_yaml(pool_yaml("web", **FAST)), guard_file=guard)
    rig.run(agent, minutes=5)
    assert rig.size("web") == 3

    guard_file(rig.home, "maxx: 9")
    with pytest.raises(SettingsError, match="guard file"):
        agent.reload_file()
    rig.run(agent, minutes=3)
    assert rig.size("web") == 3

    guard_file(rig.home, "max: 5")
    agent.reload_file()
    rig.run(agent, minutes=5)
    assert rig.size("web") == 5


def test_a_pool_that_the_guard_does_not_name_is_only_observed(rig: Rig) -> None:
    web = rig.add_pool("web", size=2, demand=190)
    rig.add_pool("other", size=2, demand=190)
    guard = guard_file(rig.home, f"pools: [{web.id}]")
    agent = rig.agent(
        config_yaml(pool_yaml("web", **FAST), pool_yaml("other", **FAST)), guard_file=guard
    )
    rig.run(agent, minutes=4)
    assert (rig.size("web"), rig.size("other")) == (4, 2)


@pytest.mark.slow
def test_no_more_are_terminated_in_an_hour_than_the_guard_allows(rig: Rig) -> None:
    rig.add_pool("web", size=10, demand=20)
    guard = guard_file(rig.home, "max_terminations_per_hour: 3")
    yaml = config_yaml(pool_yaml("web", **FAST))
    agent = rig.agent(yaml, guard_file=guard)
    rig.run(agent, minutes=10)
    assert rig.size("web") == 7

    agent.close()
    agent = rig.agent(yaml, guard_file=guard)
    rig.run(agent, minutes=10)
    assert rig.size("web") == 7, "a restart does not renew the allowance"
    rig.run(agent, minutes=50, every=60)
    assert rig.size("web") == 4
