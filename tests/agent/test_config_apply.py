"""Configurations: what is good is applied between ticks, what is bad never stops anything."""

from pathlib import Path
from typing import Any

import pytest

from agent.config_apply import ConfigApplier
from shared.config.hashing import config_hash
from shared.wire import Acknowledged, HeartbeatAnswer
from tests.agent.rig import config_yaml, pool_yaml
from tests.fakes import NOON

GOOD = config_yaml(pool_yaml("web"))
OTHER = config_yaml(pool_yaml("web", limits="{min: 2, max: 9}"))
BAD = "version: 1\npools: [{name: web, limtis: {min: 1}}]\n"


def answer(yaml: str | None, generation: int = 1, **fields: Any) -> HeartbeatAnswer:
    body = {
        "config_hash": config_hash(yaml) if yaml else None,
        "yaml_config": yaml,
        "generation": generation,
        "ack": Acknowledged(stream_id="stream-1", sequence=0),
        "server_time": NOON,
    }
    return HeartbeatAnswer(**(body | fields))


def applier_in(home: Path, problems: list[str] | None = None) -> ConfigApplier:
    said = problems if problems is not None else []
    return ConfigApplier(home / "config.json", stamp="now", on_problem=said.append)


def running_hash(applier: ConfigApplier) -> str | None:
    return applier.running.hash if applier.running else None


def applied(applier: ConfigApplier, yaml: str, generation: int = 1, **fields: Any) -> None:
    applier.offer(answer(yaml, generation, **fields))
    applier.swap(NOON)


def test_a_good_configuration_is_staged_and_swapped_in_between_ticks(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applier.offer(answer(GOOD))
    assert applier.running is None
    before = applier.report
    assert (before.status, before.running_hash) == ("applying", None)

    applier.swap(NOON)
    assert running_hash(applier) == config_hash(GOOD)
    assert applier.report.status == "applied"
    assert applier.report.running_hash == applier.report.received_hash == config_hash(GOOD)
    assert [change.event for change in applier.take_changes()] == ["CONFIG_APPLIED"]
    assert applier.swap(NOON) is None


@pytest.mark.fault(50)
def test_a_bad_one_is_reported_with_its_reason_and_the_old_one_keeps_running(
    tmp_path: Path,
) -> None:
    applier = applier_in(tmp_path)
    applied(applier, GOOD)
    applier.offer(answer(BAD, 2))
    assert applier.swap(NOON) is None
    assert running_hash(applier) == config_hash(GOOD)
    report = applier.report
    assert (report.status, report.failed_hash) == ("failed", config_hash(BAD))
    assert report.running_hash == config_hash(GOOD)
    assert "line 2" in (report.error or "")
    assert "limits" in (report.error or ""), "did you mean"


def test_a_failed_one_is_told_once_and_not_applied_when_offered_again(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applied(applier, GOOD)
    applier.take_changes()
    for _ in range(3):
        applier.offer(answer(BAD, 2))
        applier.offer(answer(BAD, 2, yaml_config=None))
        applier.swap(NOON)
    assert [change.event for change in applier.take_changes()] == ["CONFIG_FAILED"]
    assert running_hash(applier) == config_hash(GOOD)


def test_a_mended_one_follows_a_failed_one(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applied(applier, BAD)
    applied(applier, GOOD, 2)
    assert applier.report.status == "applied"
    assert (applier.report.failed_hash, applier.report.error) == (None, None)


def test_going_back_to_what_runs_clears_the_failure(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applied(applier, GOOD)
    applied(applier, BAD, 2)
    applier.offer(answer(GOOD, 3, yaml_config=None))
    assert (applier.report.status, applier.report.failed_hash) == ("applied", None)
    assert applier.report.generation == 3


def test_a_long_reason_is_cut_to_a_kilobyte(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applied(applier, "version: 1\npools:\n" + "  - {nme: ü, x: 1, y: 2}\n" * 200)
    assert 500 < len((applier.report.error or "").encode()) <= 1024


@pytest.mark.fault(25)
def test_text_that_does_not_match_its_hash_is_discarded(tmp_path: Path) -> None:
    problems: list[str] = []
    applier = applier_in(tmp_path, problems)
    applied(applier, GOOD)
    applier.offer(answer(OTHER, 2, yaml_config=OTHER[:-1]))
    assert applier.swap(NOON) is None
    assert applier.report.status == "applied"
    assert "hash" in problems[0]


def test_an_older_generation_is_refused_unless_an_operator_rolls_back(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applied(applier, GOOD, 7)
    applied(applier, OTHER, 6)
    assert running_hash(applier) == config_hash(GOOD)
    assert applier.report.status == "failed"
    assert "older than 7" in (applier.report.error or "")
    assert applier.report.generation == 7

    applied(applier, OTHER, 6, rollback=True)
    assert running_hash(applier) == config_hash(OTHER)
    assert applier.report.generation == 6


@pytest.mark.fault(53)
def test_a_and_b_and_a_again_leaves_a_running(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applied(applier, GOOD)
    applier.offer(answer(OTHER, 2))
    applier.offer(answer(GOOD, 3, yaml_config=None))
    assert applier.swap(NOON) is None
    assert running_hash(applier) == config_hash(GOOD)
    assert applier.report.status == "applied"


@pytest.mark.fault(53)
def test_the_newest_offer_wins(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applier.offer(answer(GOOD, 1))
    applier.offer(answer(OTHER, 2))
    applier.swap(NOON)
    assert running_hash(applier) == config_hash(OTHER)


def test_the_last_good_one_survives_a_restart_with_its_generation(tmp_path: Path) -> None:
    applied(applier_in(tmp_path), GOOD, 5)
    again = applier_in(tmp_path)
    assert running_hash(again) == config_hash(GOOD)
    assert (again.report.generation, again.report.status) == (5, "applied")
    assert again.running is not None
    assert again.running.source == "last_known_good"


@pytest.mark.parametrize("damage", [b"", b"\0" * 300, b"{}", None])
@pytest.mark.fault(10, 12)
def test_a_torn_last_good_one_falls_back_to_the_one_before(
    damage: bytes | None, tmp_path: Path
) -> None:
    applier = applier_in(tmp_path)
    applied(applier, GOOD, 1)
    applied(applier, OTHER, 2)
    path = tmp_path / "config.json"
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2] if damage is None else damage)
    problems: list[str] = []
    assert running_hash(applier_in(tmp_path, problems)) == config_hash(GOOD)
    assert problems


def test_a_local_file_only_bootstraps_when_there_is_a_central(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applier.bootstrap(GOOD, authoritative=False)
    applier.swap(NOON)
    applier.bootstrap(OTHER, authoritative=False)
    assert applier.swap(NOON) is None
    assert running_hash(applier) == config_hash(GOOD)


def test_without_a_central_the_local_file_is_the_truth(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    for yaml in (GOOD, OTHER):
        applier.bootstrap(yaml, authoritative=True)
        applier.swap(NOON)
        assert running_hash(applier) == config_hash(yaml)


def test_a_central_without_configuration_changes_nothing(tmp_path: Path) -> None:
    applier = applier_in(tmp_path)
    applier.bootstrap(GOOD, authoritative=False)
    applier.swap(NOON)
    applier.offer(answer(None))
    assert applier.swap(NOON) is None
    assert running_hash(applier) == config_hash(GOOD)


@pytest.mark.fault(8)
def test_a_disk_that_refuses_does_not_keep_a_configuration_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems: list[str] = []
    applier = applier_in(tmp_path, problems)

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    # A full disk cannot be had without root; the flush is the boundary.
    monkeypatch.setattr("agent.files.os.fsync", refuse)
    applied(applier, GOOD)
    assert running_hash(applier) == config_hash(GOOD)
    assert "No space left" in problems[0]
