"""`poolkeeper config check` and `config schema`, as an operator and as a script see them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poolkeeper.commands_config import examine
from poolkeeper.config_group import config
from shared.config.hashing import config_hash
from shared.config.json_schema import json_schema
from tests.config_texts import HEAD, pool

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SOUND = pool("policies: [{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}]")
DOUBTFUL = HEAD
BROKEN = "version: 1\npools: []\npassword: hunter2\ntimezone: Nowhere\n"


@pytest.fixture(autouse=True)
def _plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(config, arguments, input=stdin)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    texts = {"sound": SOUND, "doubtful": DOUBTFUL, "broken": BROKEN}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return {name: str(tmp_path / f"{name}.yaml") for name in texts}


def test_a_sound_file_is_called_fine_with_what_it_holds(files: dict[str, str]) -> None:
    result = run("check", files["sound"])
    assert result.exit_code == 0
    assert result.stdout == (
        f"{files['sound']}: fine: 1 pool, 0 schedules, 0 overrides;"
        f" hash {config_hash(SOUND)[:12]}\n"
    )


def test_the_example_has_neither_problems_nor_warnings() -> None:
    finding = examine("example", EXAMPLE.read_bytes(), datetime(2026, 6, 1, tzinfo=UTC))
    assert (finding.problems, finding.warnings) == ((), ())
    assert finding.summary == "2 pools, 2 schedules, 1 override"


def test_every_problem_is_printed_with_its_place_and_the_exit_code_is_1(
    files: dict[str, str],
) -> None:
    result = run("check", files["broken"])
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first == f"{files['broken']}: error: line 3, column 1: password: unknown key"
    assert second.startswith(f"{files['broken']}: error: line 4, column 11: timezone: must be an")


def test_warnings_alone_exit_0_or_1_when_strict(files: dict[str, str]) -> None:
    relaxed, strict = run("check", files["doubtful"]), run("check", "--strict", files["doubtful"])
    assert (relaxed.exit_code, strict.exit_code) == (0, 1)
    assert ": warning: line 3, column 5: pools[0]: no policy and no schedule" in relaxed.stdout
    assert ": usable: 1 pool" in relaxed.stdout


def test_several_files_are_all_checked(files: dict[str, str]) -> None:
    result = run("check", files["sound"], files["broken"])
    assert result.exit_code == 1
    assert f"{files['sound']}: fine" in result.stdout
    assert f"{files['broken']}: error" in result.stdout


def test_an_unreadable_file_is_one_sentence_on_stderr_and_exit_code_2(
    files: dict[str, str], tmp_path: Path
) -> None:
    result = run("check", str(tmp_path / "missing.yaml"), files["broken"], str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"{tmp_path / 'missing.yaml'}: cannot be read: No such file or directory.",
        f"{tmp_path}: cannot be read: Is a directory.",
    ]
    assert f"{files['broken']}: error" in result.stdout


def test_standard_input_is_a_file_too() -> None:
    assert run("check", "-", stdin=SOUND).exit_code == 0
    assert run("check", "-", stdin="version: 2\n").exit_code == 1


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    assert "larger than 1 MiB" in run("check", "/dev/zero").stdout


def test_json_carries_problems_warnings_and_the_hash(files: dict[str, str]) -> None:
    result = run("check", "--json", files["sound"], files["broken"], files["doubtful"])
    assert result.exit_code == 1
    sound, broken, doubtful = json.loads(result.stdout)["files"]
    assert sound == {
        "file": files["sound"],
        "ok": True,
        "config_hash": config_hash(SOUND),
        "problems": [],
        "warnings": [],
    }
    assert (broken["ok"], broken["config_hash"]) == (False, None)
    assert broken["problems"][0] == {
        "line": 3,
        "column": 1,
        "path": "password",
        "message": "unknown key",
    }
    assert doubtful["ok"]
    assert doubtful["warnings"][0]["path"] == "pools[0]"


def test_no_value_of_a_refused_file_is_printed(files: dict[str, str]) -> None:
    for arguments in (("check",), ("check", "--json")):
        assert "hunter2" not in run(*arguments, files["broken"]).output


def test_square_brackets_in_a_path_are_not_taken_for_markup(tmp_path: Path) -> None:
    file = tmp_path / "[red]x.yaml"
    file.write_text("version: 1\npools: [x]\n")
    result = run("check", str(file))
    assert "[red]x.yaml: error: line 2, column 9: pools[0]: must be a mapping" in result.stdout


def test_without_a_file_the_usage_is_told() -> None:
    assert run("check").exit_code == 2


def test_the_schema_is_printed_as_json() -> None:
    result = run("schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()
