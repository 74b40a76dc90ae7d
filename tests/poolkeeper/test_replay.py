"""`poolkeeper replay` from the outside."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from poolkeeper.commands_replay import replay

YAML = """
version: 1
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.web
    compartment_id: ocid1.compartment.oc1..example
    region: eu-frankfurt-1
    limits: {min: 2, max: 30}
    policies:
      - {name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}
      - {name: latency, type: target_tracking, metric: Latency, namespace: my_app, target: 5}
"""

TRACE = "timestamp,value\n" + "".join(
    f"{1767571200 + 300 * point},{500 + 300 * math.sin(point / 12):.1f}\n" for point in range(72)
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(YAML, "utf-8")
    (tmp_path / "other.yaml").write_text(YAML.replace("target: 60", "target: 40"), "utf-8")
    (tmp_path / "trace.csv").write_text(TRACE, "utf-8")
    return tmp_path


def run(place: Path, *more: str, capacity: str = "100") -> Result:
    files = ["--config", str(place / "config.yaml"), "--trace", str(place / "trace.csv")]
    return CliRunner().invoke(replay, [*files, "--pool", "web", "--capacity", capacity, *more])


def report(place: Path, *more: str) -> dict[str, Any]:
    result = run(place, *more)
    assert result.exit_code == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_a_report_tells_cost_service_and_elasticity(place: Path) -> None:
    told = report(place)
    assert told["trace"]["steps"] == 355
    assert told["world"] == {
        "capacity": 100.0,
        "boot_seconds": 180.0,
        "lag_seconds": 120.0,
        "line": 0.8,
        "start_size": 7,
    }
    assert told["instance_hours"] > told["needed_instance_hours"] > 0
    assert told["share_under_target"] == pytest.approx(told["minutes_under_target"] / 355, abs=1e-6)
    assert told["resizes"] == len(told["resize_events"]) > 4
    assert set(told["elasticity"]) == {
        "accuracy_under",
        "accuracy_over",
        "time_share_under",
        "time_share_over",
    }


def test_the_size_curve_adds_up_to_the_instance_hours(place: Path) -> None:
    told = report(place)
    curve = told["size_curve"]
    assert curve[0][1:] == [7, 7]
    assert curve[0][0] == told["trace"]["from"] == "2026-01-05T00:00:00Z"
    sizes = [size for _, size, _ in curve]
    assert all(2 <= size <= 30 for size in sizes)
    assert max(sizes) == told["largest_size"]


def test_policies_that_cannot_be_replayed_are_named(place: Path) -> None:
    result = run(place)
    assert json.loads(result.stdout)["skipped"] == ["latency"]
    assert "Skipped in poolkeeper: latency" in result.stderr


def test_others_are_replayed_side_by_side(place: Path) -> None:
    other = str(place / "other.yaml")
    wanted = ["native", "native:above=75,below=40,add=3", "hpa", "hpa:stabilization=60m", other]
    told = report(place, *(part for name in wanted for part in ("--against", name)))
    against = {each["name"]: each for each in told["against"]}
    assert list(against) == wanted
    assert against["hpa"]["settings"]["target"] == 60.0
    assert against["hpa:stabilization=60m"]["settings"]["stabilization"] == 3600.0
    assert against["native:above=75,below=40,add=3"]["settings"]["add"] == 3
    assert against[other]["instance_hours"] > told["instance_hours"]
    assert len({each["instance_hours"] for each in against.values()}) == len(wanted)


def test_a_slower_world_is_served_worse(place: Path) -> None:
    slow = report(place, "--boot", "10m", "--lag", "5m")
    assert slow["minutes_under_target"] > report(place)["minutes_under_target"]


def test_the_size_at_the_start_can_be_given_and_stays_within_the_limits(place: Path) -> None:
    assert report(place, "--start-size", "12")["size_curve"][0][1] == 12
    assert report(place, "--start-size", "0")["size_curve"][0][1] == 2


def test_shorter_steps_give_the_same_trace_in_more_ticks(place: Path) -> None:
    assert report(place, "--step", "30s")["trace"]["steps"] == 710


@pytest.mark.parametrize("name", ["replay.svg", "replay.png"])
def test_a_plot_is_drawn(place: Path, name: str) -> None:
    result = run(place, "--against", "native", "--plot", str(place / name))
    assert result.exit_code == 0, result.stderr
    assert (place / name).read_bytes()[:5] in {b"<?xml", b"\x89PNG\r"}


def test_people_at_a_terminal_get_a_table(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a terminal cannot be had under the test runner: the question whether there is one is answered
    monkeypatch.setattr("poolkeeper.commands_replay.prints_json", lambda *, asked: asked)
    output = run(place, "--against", "hpa").stdout
    assert "instance-hours" in output
    assert "hpa" in output


BAD = {
    "a capacity of nothing": (["--capacity", "0"], "--capacity"),
    "a boot time without a unit": (["--boot", "3"], "must be a duration with its unit"),
    "steps that do not divide a minute": (["--step", "45s"], "--step must divide a minute"),
    "an opponent that is nothing": (["--against", "keda"], "'keda' is neither native nor hpa"),
    "a setting that is none": (["--against", "native:up=1"], "'up' is none of above, below, add"),
    "a setting that does not fit": (["--against", "hpa:target=x"], "'x' does not fit target"),
    "a negative setting": (["--against", "hpa:target=-5"], "settings must not be negative"),
    "a target of nothing": (["--against", "hpa:target=0"], "target must be above 0"),
    "an unknown plot": (["--plot", "x.pdf"], "must end in .svg or .png"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_usage_is_told_in_one_sentence(place: Path, case: str) -> None:
    options, sentence = BAD[case]
    result = run(place, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""


def test_a_bad_trace_is_told_with_its_line(place: Path) -> None:
    (place / "trace.csv").write_text("timestamp,value\n0,1\n60,x\n", "utf-8")
    assert "trace.csv: line 3: 'x' is not a number" in run(place).stderr


def test_a_pool_of_which_nothing_can_be_replayed_is_told(place: Path) -> None:
    only = YAML.replace("metric: CpuUtilization", "metric: Requests, namespace: my_app")
    (place / "config.yaml").write_text(only, "utf-8")
    result = run(place)
    assert result.exit_code == 2
    assert "pool web: no policy follows from demand (cpu, latency)" in result.stderr
