"""`poolkeeper decide` from the outside: JSON in, JSON out, timelines by feeding memory back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from poolkeeper.commands_decide import decide

YAML = """
version: 1
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.web
    compartment_id: ocid1.compartment.oc1..example
    region: eu-frankfurt-1
    limits: {min: 2, max: 20}
    policies: [{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}]
"""

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(YAML, "utf-8")
    return path


def observation(value: object, minutes: int = 0, size: int = 4) -> dict[str, Any]:
    now = START + timedelta(minutes=minutes)
    return {
        "now": now.isoformat(),
        "pool": {"size": size, "active": size, "state": "RUNNING"},
        "metrics": {
            "cpu": {"value": value, "at": (now - timedelta(minutes=2)).isoformat(), "samples": size}
        },
    }


def run(config: Path, text: str, *, pool: str = "web") -> Result:
    options = ["--config", str(config), "--pool", pool, "--input", "-", "--json"]
    return CliRunner().invoke(decide, options, input=text)


def answer(config: Path, seen: dict[str, Any]) -> dict[str, Any]:
    result = run(config, json.dumps(seen))
    assert result.exit_code == 0, result.stderr
    decision: dict[str, Any] = json.loads(result.stdout)
    return decision


def test_a_busy_pool_grows_and_the_answer_says_why(config: Path) -> None:
    decision = answer(config, observation(90.0))
    assert (decision["action"], decision["current"], decision["desired"]) == ("scale_out", 4, 6)
    assert decision["bounds"]["floor"] == 2
    assert decision["bounds"]["ceiling"] == 20
    assert decision["votes"][0]["wanted"] == 6
    assert decision["reasons"][-1]["code"] == "scale_out"


def test_a_hold_is_an_answer_too_and_tells_what_would_change_it(config: Path) -> None:
    decision = answer(config, observation(63.0))
    assert decision["action"] == "hold"
    assert any("adds 1 above CpuUtilization 66" in line for line in decision["outlook"])


def test_feeding_memory_back_runs_a_timeline(config: Path) -> None:
    """A scale-in waits until five minutes of low need have been watched."""
    memory, sizes = None, []
    for minute in range(8):
        decision = answer(config, observation(20.0, minute) | {"memory": memory})
        memory = decision["memory"]
        sizes.append(decision["desired"])
    assert sizes == [4, 4, 4, 4, 4, 2, 2, 2]


def test_values_that_are_no_numbers_are_refused_and_counted(config: Path) -> None:
    text = json.dumps(observation("MARK")).replace('"MARK"', "NaN")
    result = run(config, text)
    assert result.exit_code == 0
    decision = json.loads(result.stdout)
    assert decision["action"] == "hold"
    assert decision["votes"][0]["rejected"] == {"nan": 1}


def test_a_metric_of_no_policy_is_told_and_does_no_harm(config: Path) -> None:
    seen = observation(63.0)
    seen["metrics"]["memory"] = {"value": 1}
    result = run(config, json.dumps(seen))
    assert result.exit_code == 0
    assert "metrics.memory is not used: the pool has cpu" in result.stderr


def test_the_input_may_be_a_file(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "seen.json"
    file.write_text(json.dumps(observation(90.0)), "utf-8")
    options = ["--config", str(config), "--pool", "web", "--input", str(file)]
    assert json.loads(CliRunner().invoke(decide, options).stdout)["desired"] == 6


BAD = {
    "no JSON": ("{", "not JSON: Expecting property name"),
    "a list": ("[]", "must be a JSON object"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "no instant": ("{}", "now: Field required"),
    "an instant without an offset": ('{"now": "2026-01-05T12:00:00"}', "now: "),
    "an unknown key": ('{"now": "2026-01-05T12:00:00Z", "poool": {}}', "poool: "),
    "a negative size": (
        '{"now": "2026-01-05T12:00:00Z", "pool": {"size": -1, "active": 0, "state": "RUNNING"}}',
        "pool.size: ",
    ),
    "a memory of another version": (
        '{"now": "2026-01-05T12:00:00Z", "memory": {"version": 99}}',
        "memory: version: ",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_sentence(config: Path, case: str) -> None:
    text, sentence = BAD[case]
    result = run(config, text)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_an_unknown_pool_and_a_bad_configuration_are_told(config: Path) -> None:
    assert "'api' is no pool of this file; it has web" in run(config, "{}", pool="api").stderr
    config.write_text(YAML.replace("min: 2", "min: 30"), "utf-8")
    result = run(config, "{}")
    assert result.exit_code == 2
    assert "pools[0].limits: min (30) is above max (20)" in result.stderr
    assert run(config.with_name("none.yaml"), "{}").exit_code == 2


def test_people_at_a_terminal_get_a_table(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a terminal cannot be had under the test runner: the question whether there is one is answered
    monkeypatch.setattr("poolkeeper.commands_decide.prints_json", lambda *, asked: asked)
    options = ["--config", str(config), "--pool", "web", "--input", "-"]
    result = CliRunner().invoke(decide, options, input=json.dumps(observation(90.0)))
    assert "web: scale out from 4 to 6   bounds 2 to 20" in result.stdout
    assert "off_target" in result.stdout
