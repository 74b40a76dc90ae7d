"""What the agent's benchmarks start: a simulated tenancy as a process of its own, and agents."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from simulator.keys import ApiKey, generate

COMPARTMENTS = ("ocid1.compartment.oc1..first", "ocid1.compartment.oc1..second")
REGION = "eu-frankfurt-1"


@dataclass(frozen=True)
class Tenancy:
    """A simulator that serves, with the key that it knows."""

    url: str
    key: ApiKey
    home: Path

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Call the simulator's own API."""
        answer = httpx.request(
            method, f"{self.url}/admin/{path}", json=body, timeout=60, trust_env=False
        )
        answer.raise_for_status()
        return answer.json()

    def requests(self) -> list[dict[str, Any]]:
        """Return every signed request since the last DELETE."""
        found: list[dict[str, Any]] = self.admin("GET", "requests")["requests"]
        return found


def pool(index: int, **more: Any) -> dict[str, Any]:
    """Return a pool as a scenario names it; pools take turns between the compartments."""
    return {
        "name": f"pool-{index:04d}",
        "id": f"ocid1.instancepool.oc1.{REGION}.{index:04d}",
        "compartment_id": COMPARTMENTS[index % 2],
        "size": 2,
        "demand": {"kind": "constant", "value": 100},
        "launch_seconds": 5,
        **more,
    }


def config(pools: list[dict[str, Any]], extra: str = "", poll: str = "30s") -> str:
    """Return the YAML that scales these pools by CPU and memory."""
    cpu = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 50}"
    memory = "{name: memory, type: target_tracking, metric: MemoryUtilization, target: 80}"
    lines = ["version: 1", f"poll_interval: {poll}", extra, "pools:"]
    for one in pools:
        lines += [
            f"  - name: {one['name']}",
            f"    instance_pool_id: {one['id']}",
            f"    compartment_id: {one['compartment_id']}",
            f"    region: {REGION}",
            "    limits: {min: 1, max: 20}",
            "    metric_lag: 0s",
            f"    policies: [{cpu}, {memory}]",
        ]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def tenancy(pools: list[dict[str, Any]], latency: float = 0.0) -> Iterator[Tenancy]:
    """Serve a tenancy with these pools; every answer takes `latency` seconds."""
    with tempfile.TemporaryDirectory(prefix="pk-bench-") as directory:
        home = Path(directory)
        key = generate(home / "key", region=REGION)
        rules = [{"operation": "*", "latency_seconds": latency}] if latency else []
        scenario = {"pools": pools, "faults": {"rules": rules}}
        (home / "scenario.json").write_text(json.dumps(scenario))
        words = ["simulator", "serve", "--scenario", str(home / "scenario.json")]
        words += ["--public-key", str(key.public_key), "--tenancy", key.tenancy]
        process = subprocess.Popen(
            [sys.executable, "-m", "poolkeeper", *words, "--user", key.user],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            yield Tenancy(url, key, home)
        finally:
            process.terminate()
            process.wait(10)


@dataclass
class Watched:
    """A process and what it has used."""

    process: subprocess.Popen[bytes]
    started: float

    def cpu_seconds(self) -> float:
        """Return the processor time it has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def rss_mib(self) -> float:
        """Return its resident memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20


@contextlib.contextmanager
def watched(words: list[str], env: dict[str, str], log: Path) -> Iterator[Watched]:
    """Run a command until the block ends."""
    with log.open("wb") as out:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *words], env={**os.environ, **env}, stdout=out, stderr=out
        )
        try:
            yield Watched(process, started)
        finally:
            process.terminate()
            process.wait(15)


@contextlib.contextmanager
def agent(at: Tenancy, yaml: str, port: int) -> Iterator[Watched]:
    """Run the real agent against a tenancy; its status is on `port`."""
    path = at.home / "config.yaml"
    path.write_text(yaml)
    env = {
        "POOLKEEPER_STATE_DIR": str(at.home / "state"),
        "POOLKEEPER_OCI_AUTH": "config_file",
        "POOLKEEPER_OCI_CONFIG_FILE": str(at.key.config_file),
        "POOLKEEPER_OCI_ENDPOINT": at.url,
        "POOLKEEPER_STATUS_LISTEN": f"127.0.0.1:{port}",
        "OCI_METADATA_BASE_URL": f"{at.url}/opc/v2",
    }
    words = ["-m", "poolkeeper", "agent", "run", "--config", str(path)]
    with watched(words, env, at.home / "agent.log") as running:
        yield running


def status(port: int) -> dict[str, Any]:
    """Return the agent's own account of itself; empty while it does not answer."""
    try:
        found: dict[str, Any] = httpx.get(
            f"http://127.0.0.1:{port}/status", timeout=5, trust_env=False
        ).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found
