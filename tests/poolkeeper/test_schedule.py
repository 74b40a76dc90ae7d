"""`poolkeeper schedule preview` from the outside."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poolkeeper.commands_schedule import schedule

YAML = """
version: 1
timezone: Europe/Berlin
defaults: {compartment_id: ocid1.compartment.oc1..example, region: eu-frankfurt-1}
pools:
  - {name: web, instance_pool_id: ocid1.instancepool.oc1.x.web, limits: {min: 2, max: 20}}
  - {name: batch, instance_pool_id: ocid1.instancepool.oc1.x.batch, limits: {min: 0, max: 8}}
schedules:
  - {name: office, pools: [web], days: [mon-fri], start: "08:00", end: "18:00", target_instances: 6}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(YAML, "utf-8")
    return path


def run(config: Path, *more: str) -> Result:
    return CliRunner().invoke(schedule, ["preview", "--config", str(config), *more])


def test_changes_of_one_pool_as_json(config: Path) -> None:
    result = run(config, "--pool", "web", "--from", "2026-03-27", "--to", "2026-03-31", "--json")
    assert result.exit_code == 0
    entries = json.loads(result.stdout)
    assert [(e["at"], e["local"], e["floor"], e["ceiling"], e["schedules"]) for e in entries] == [
        ("2026-03-26T23:00:00Z", "2026-03-27T00:00:00+01:00", 2, 20, []),
        ("2026-03-27T07:00:00Z", "2026-03-27T08:00:00+01:00", 6, 20, ["office"]),
        ("2026-03-27T17:00:00Z", "2026-03-27T18:00:00+01:00", 2, 20, []),
        ("2026-03-30T06:00:00Z", "2026-03-30T08:00:00+02:00", 6, 20, ["office"]),
        ("2026-03-30T16:00:00Z", "2026-03-30T18:00:00+02:00", 2, 20, []),
    ]


def test_without_a_pool_all_of_them_are_listed_in_the_order_of_time(config: Path) -> None:
    entries = json.loads(run(config, "--from", "2026-03-27", "--to", "2026-03-28").stdout)
    assert {entry["pool"] for entry in entries} == {"web", "batch"}
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)


@pytest.mark.parametrize("name", ["bounds.svg", "bounds.png"])
def test_a_plot_is_drawn(config: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    result = run(config, "--from", "2026-03-27", "--to", "2026-03-31", "--plot", str(file))
    assert result.exit_code == 0
    assert file.read_bytes()[:5] in {b"<?xml", b"\x89PNG\r"}
    assert len(json.loads(result.stdout)) == 6


BAD = {
    "a time that is none": (["--from", "soon", "--to", "2026-01-01"], "'soon' is not an ISO"),
    "the first year": (["--from", "0001-01-01", "--to", "2026-01-01"], "is out of range"),
    "the last year": (["--from", "2026-01-01", "--to", "9999-12-31"], "is out of range"),
    "an end before the start": (["--from", "2026-01-02", "--to", "2026-01-01"], "must be later"),
    "a lifetime": (["--from", "2026-01-02", "--to", "2096-01-01"], "more than ten years"),
    "an unknown pool": (
        ["--pool", "wbe", "--from", "2026-01-01", "--to", "2026-01-02"],
        "'wbe' is no pool of this file; it has web, batch",
    ),
    "an unknown kind of plot": (
        ["--from", "2026-01-01", "--to", "2026-01-02", "--plot", "x.gif"],
        "must end in .svg or .png",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_usage_is_told_in_one_sentence(config: Path, case: str) -> None:
    options, sentence = BAD[case]
    result = run(config, *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""
