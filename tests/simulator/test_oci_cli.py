"""The published `oci` command line against the simulator.

Its pins clash with ours, so it lives in `.tools/oci-cli`, installed once from
`requirements-oci-cli.lock`; later runs find the stamp of that file and need no network.
Renew the lock with::

    echo oci-cli | uv pip compile - --generate-hashes --no-emit-index-url --no-emit-find-links \
        --no-header --universal --python-version 3.11
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.keys import ApiKey
from tests.oci_world import COMPARTMENT, OciWorld, constant

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-oci-cli.lock"
HOME = ROOT / ".tools" / "oci-cli"


@pytest.fixture(scope="module")
def oci_command() -> Path:
    """The `oci` executable, installed when the lock file is newer than what is there."""
    HOME.parent.mkdir(exist_ok=True)
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    stamp = HOME / ".installed"
    with (HOME.parent / "oci-cli.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # one installer, whatever runs in parallel
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(HOME, ignore_errors=True)
            run(sys.executable, "-m", "venv", str(HOME))
            pip = (str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet")
            run(*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(LOCK))
            stamp.write_text(wanted)
    return HOME / "bin" / "oci"


def run(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Cli:
    """Runs `oci` with the simulator's address, key and nothing else of this machine."""

    def __init__(self, command: Path, key: ApiKey, url: str, home: Path) -> None:
        self._start = (str(command), "--config-file", str(key.config_file), "--endpoint", url)
        self._env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
        }

    def __call__(self, *words: str) -> Any:
        return json.loads(run(*self._start, *words, env=self._env))


@pytest.fixture
def cli(oci_command: Path, key: ApiKey, tenancy: OciWorld, tmp_path: Path) -> Cli:
    return Cli(oci_command, key, tenancy.url, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)  # the first run installs 250 MB
def test_pools_are_listed_read_and_resized(cli: Cli, tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2)
    pools = ("compute-management", "instance-pool")
    (listed,) = cli(*pools, "list", "--compartment-id", COMPARTMENT)["data"]
    assert (listed["id"], listed["size"], listed["lifecycle-state"]) == (pool.id, 2, "RUNNING")
    read = cli(*pools, "get", "--instance-pool-id", pool.id)
    assert read["data"]["size"] == 2
    target = ("--instance-pool-id", pool.id, "--size", "5", "--if-match", read["etag"])
    assert cli(*pools, "update", *target)["data"]["lifecycle-state"] == "SCALING"
    assert tenancy.world.pool("web").size == 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_metrics_are_summarized(cli: Cli, tenancy: OciWorld) -> None:
    pool = tenancy.add_pool(size=2, capacity=100, demand=constant(100))
    now = tenancy.world.now()
    (series,) = cli(
        *("monitoring", "metric-data", "summarize-metrics-data"),
        *("--compartment-id", COMPARTMENT, "--namespace", "oci_computeagent"),
        *("--query-text", "CpuUtilization[1m].groupBy(instancePoolId).mean()"),
        *("--start-time", now.isoformat()),
        *("--end-time", now.replace(minute=1).isoformat()),
    )["data"]
    assert series["dimensions"] == {"instancePoolId": pool.id}
    assert [point["value"] for point in series["aggregated-datapoints"]] == [50.0]
