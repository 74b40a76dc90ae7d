"""`poolkeeper simulator` as a process."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import oci
import pytest
from click.testing import CliRunner

from simulator.commands import simulator
from simulator.keys import ApiKey
from tests.oci_world import COMPARTMENT

ROOT = Path(__file__).parents[2]
START = "from simulator.commands import simulator; simulator()"


@contextmanager
def serving(*options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a simulator in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, "serve", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=10)
        yield json.loads(line)["url"], process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_it_serves_a_scenario_to_the_sdk_and_ends_cleanly(key: ApiKey, tmp_path: Path) -> None:
    (tmp_path / "demand.csv").write_text("timestamp,value\n0,150\n600,10\n")
    scenario = tmp_path / "scenario.json"
    curve = {"kind": "csv", "path": "demand.csv"}
    scenario.write_text(json.dumps({"pools": [{"name": "web", "size": 3, "demand": curve}]}))
    options = ("--scenario", str(scenario), "--public-key", str(key.public_key))
    clock = ("--clock-scale", "0", "--start", "2026-01-15T12:00:00Z")
    with serving(*options, *clock, "--metrics-rate", "0", "--print-url") as (url, process):
        config = oci.config.from_file(str(key.config_file))
        client = oci.core.ComputeManagementClient(config, service_endpoint=url)
        assert client.list_instance_pools(COMPARTMENT).data[0].current_size == 3
        state = httpx.get(url + "/admin/state", trust_env=False).json()
        faults = httpx.get(url + "/admin/faults", trust_env=False).json()
        assert faults["metrics_per_second"] is None
        assert (state["now"], state["pools"][0]["demand"]) == ("2026-01-15T12:00:00.000Z", 150)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_two_processes_with_the_same_origin_agree_on_the_time() -> None:
    options = ("--clock-scale", "3600", "--start", "2026-01-15T12:00:00Z")
    wall = ("--origin-wall", "2026-01-01T00:00:00Z")
    with serving(*options, *wall) as (first, _), serving(*options, *wall) as (second, _):
        seen = [
            httpx.get(url + "/admin/clock", trust_env=False).json()["now"]
            for url in (first, second, first)
        ]
    assert seen == sorted(seen)


def test_a_taken_port_is_one_sentence() -> None:
    with serving() as (url, _):
        done = CliRunner().invoke(simulator, ["serve", "--port", url.rsplit(":", 1)[1]])
    assert done.exit_code == 2
    assert "cannot be opened: Address already in use" in done.output


MISTAKES: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "scenario.json: Expecting property name"),
    "an unknown field": ('{"pols": []}', "scenario.json: pols: Extra inputs are not permitted"),
    "a missing CSV": (
        '{"pools": [{"name": "x", "demand": {"kind": "csv", "path": "no.csv"}}]}',
        "no.csv: No such file or directory",
    ),
    "an unknown pool": ('{"autoscaling": [{"pool": "x"}]}', "404 NotAuthorizedOrNotFound"),
    "a key that is none": (
        '{"keys": [{"tenancy": "t", "user": "u", "public_key": "x"}]}',
        "scenario.json: Unable to load PEM",
    ),
    "a bad CSV": (
        '{"pools": [{"name": "x", "demand": {"kind": "csv", "text": "a,b"}}]}',
        "scenario.json: line 1: expected `timestamp,value`",
    ),
}


@pytest.mark.parametrize(("text", "complaint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_bad_scenario_is_one_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(text)
    done = CliRunner().invoke(simulator, ["serve", "--scenario", str(path)])
    assert done.exit_code == 2
    assert complaint in done.output


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--start", "soon"], "'soon' is not an ISO 8601 time"),
        (["--clock-scale", "-1"], "must not be negative"),
        (["--public-key", __file__], "not an RSA public key in PEM form"),
        (["--public-key", "/nowhere"], "/nowhere: No such file or directory"),
    ],
)
def test_a_bad_option_is_one_sentence(options: list[str], complaint: str) -> None:
    done = CliRunner().invoke(simulator, ["serve", *options])
    assert done.exit_code == 2
    assert complaint in done.output


def test_keygen_writes_what_the_sdk_reads_and_never_overwrites(tmp_path: Path) -> None:
    done = CliRunner().invoke(simulator, ["keygen", str(tmp_path / "oci"), "--json"])
    assert done.exit_code == 0
    facts = json.loads(done.output)
    config = oci.config.from_file(facts["config_file"])
    oci.config.validate_config(config)
    assert config["fingerprint"] == facts["fingerprint"]
    again = CliRunner().invoke(simulator, ["keygen", str(tmp_path / "oci")])
    assert again.exit_code == 2
    assert "key.pem: File exists" in again.output
