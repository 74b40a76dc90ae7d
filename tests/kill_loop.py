"""Kill an agent again and again, and check what must hold: `python -m tests.kill_loop KILLS SEED`.

Each life is a forked process that is killed at a random step (before or after each flush, rename,
commit, write to OCI and heartbeat) or by its parent at a random instant, in front of a simulated
tenancy with a random fault script. With 0 for KILLS
it is killed at every step of such a life in turn. Prints JSON; exit 1 when an invariant is broken.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil

from agent.clock import parse_instant
from shared.config.hashing import config_hash
from simulator.keys import generate
from tests.agent.rig import COMPARTMENT, config_yaml, pool_yaml
from tests.kill_life import Place, SimulatedTime, build, live, work

MIN, MAX = 2, 8
COOLDOWN = timedelta(minutes=3)
POLICIES = (
    "[{name: cpu, type: step, metric: CpuUtilization,"
    " scale_out: {for: 1m, steps: [{above: 70, add: 1}]},"
    " scale_in: {for: 1m, steps: [{below: 20, remove: 1}]}}]"
)
FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"rules": [{"operation": "UpdateInstancePool", "lost_reply": True, "count": 1}]},
    {"rules": [{"operation": "UpdateInstancePool", "lost_request": True, "count": 1}]},
    {"rules": [{"operation": "UpdateInstancePool", "status": 503, "count": 2}]},
    {"rules": [{"operation": "*", "status": 429, "probability": 0.2}]},
    {"rules": [{"operation": "GetInstancePool", "status": 500, "probability": 0.5}]},
    {"list_lag_seconds": 30},
    {"silent": ["web"]},
)


def yaml(number: int) -> str:
    """Return the configuration of a generation; all of them mean the same."""
    pool = pool_yaml(
        "web",
        policies=POLICIES,
        limits=f"{{min: {MIN}, max: {MAX}}}",
        cooldown="{scale_out: 3m, scale_in: 3m}",
        stabilization="{scale_out: 0s, scale_in: 0s}",
    )
    return config_yaml(pool) + f"# generation {number}\n"


class Loop:
    """The tenancy, the central and the place where the agent lives and dies."""

    def __init__(self, stack: ExitStack, seed: int) -> None:
        self.chance = random.Random(seed)
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pk-kill-")))
        key = generate(home / "key", region="eu-frankfurt-1")
        pool = {
            "name": "web",
            "id": "ocid1.instancepool.oc1.eu-frankfurt-1.web",
            "compartment_id": COMPARTMENT,
            "size": 4,
            "demand": {"kind": "constant", "value": 200},
            "launch_seconds": 30,
            "terminate_seconds": 20,
        }
        (home / "scenario.json").write_text(json.dumps({"pools": [pool]}))
        (home / "guard.yaml").write_text(f"min: {MIN}\nmax: {MAX}\n")
        words = ["poolkeeper", "simulator", "serve", "--clock-scale", "0", "--metrics-rate", "0"]
        words += ["--scenario", str(home / "scenario.json"), "--public-key", str(key.public_key)]
        line = _spawn(stack, [*words, "--tenancy", key.tenancy, "--user", key.user])
        central = _spawn(stack, ["tests.central_stub"]).strip()
        self.place = Place(json.loads(line)["url"], central, key.config_file, home)
        self._http = stack.enter_context(httpx.Client(trust_env=False, timeout=10))
        self.generation = 0

    def push(self) -> None:
        """Let central hand out a new configuration."""
        self.generation += 1
        self._http.post(f"{self.place.central}/admin/give", content=yaml(self.generation))

    def central(self) -> dict[str, Any]:
        found: dict[str, Any] = self._http.get(f"{self.place.central}/admin").json()
        return found

    def admin(self, method: str, path: str, body: object = None) -> Any:
        answer = self._http.request(method, f"{self.place.simulator}/admin/{path}", json=body)
        return answer.raise_for_status().json()

    def shake(self) -> None:
        """Change the load, the faults, central's health, and now and then the configuration."""
        demand = {"kind": "constant", "value": self.chance.choice([60, 200, 390, 780])}
        self.admin("POST", "demand", {"pool": "web", "curve": demand})
        self.admin("PUT", "faults", {"metrics_per_second": None} | self.chance.choice(FAULTS))
        down = self.chance.random() < 0.2
        self._http.post(f"{self.place.central}/admin/down", json=down)
        if self.chance.random() < 0.3:
            self.push()

    def random_life(self) -> bool:
        """Let it die at a random step, or at a random instant."""
        sudden = self.chance.uniform(0.05, 0.6) if self.chance.random() < 0.3 else None
        return self.one_life(self.chance.randint(1, 120), self.chance.randint(1, 8), sudden)

    def one_life(self, steps: int, ticks: int, sudden: float | None = None) -> bool:
        """Fork, let it live, and see it die; return whether it was killed."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                live(self.place, 10**9 if sudden else steps, ticks)
                code = 0
            finally:
                os._exit(code)
        if sudden is not None:
            time.sleep(sudden)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return True
        if os.WEXITSTATUS(status) != 0:
            raise AssertionError("a life ended by an error, not by a kill")
        return False


def _spawn(stack: ExitStack, module: list[str]) -> str:
    process = subprocess.Popen(
        [sys.executable, "-m", *module], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    stack.callback(process.wait, 10)
    stack.callback(process.terminate)
    assert process.stdout is not None
    return process.stdout.readline()


def held() -> tuple[int, int, int]:
    """Return what this process holds: descriptors, threads, memory; a thread may just be ending."""
    process = psutil.Process()
    threads = []
    for _ in range(10):
        threads.append(process.num_threads())
        time.sleep(0.02)
    return process.num_fds(), min(threads), process.memory_info().rss


def quiesce(loop: Loop) -> dict[str, int]:
    """Let a last agent live in peace until all is told; return how much it grew meanwhile."""
    loop.admin("PUT", "faults", {"metrics_per_second": None})
    loop._http.post(f"{loop.place.central}/admin/down", json=False)
    clock = SimulatedTime(loop.place.simulator)
    agent = build(loop.place, clock)
    agent.start()
    work(agent, clock, 40)
    before = held()
    work(agent, clock, 200)
    after = held()
    while agent.outbox.pending():
        agent.beat()
    agent.beat()
    agent.close()
    grown = [late - early for early, late in zip(before, after, strict=True)]
    return {"fds": grown[0], "threads": grown[1], "rss_kib": grown[2] // 1024}


def broken(loop: Loop, grown: dict[str, int]) -> list[str]:
    """Return every invariant that does not hold."""
    found = []
    central = loop.central()
    kept = json.loads((loop.place.home / "state" / "config.json").read_text())["content"]
    hashes = {central["running_hash"], central["wanted_hash"], config_hash(kept["yaml"])}
    if len(hashes) != 1:
        found.append(f"agent, file and central disagree about the configuration: {hashes}")
    (pool,) = loop.admin("GET", "state")["pools"]
    sizes = {moment["size"] for moment in pool["history"]}
    if not all(MIN <= size <= MAX for size in sizes):
        found.append(f"the size left the guard: {sizes}")
    requests = loop.admin("GET", "requests")["requests"]
    changes = [b for a, b in pairwise(pool["history"]) if a["size"] != b["size"]]
    found += _cooldowns(pool["history"])
    found += _records(central["records"], len(changes))
    if grown["fds"] > 2 or grown["threads"] > 0 or grown["rss_kib"] > 8 * 1024:
        found.append(f"it grows: {grown}")
    if not [r for r in requests if r["operation"] == "UpdateInstancePool"]:
        found.append("nothing was ever written: the loop shows nothing")
    return found


def _cooldowns(history: list[dict[str, Any]]) -> list[str]:
    """Growth waits for the last growth, shrinking for the last change in either direction."""
    found = []
    last: dict[str, datetime] = {}
    for before, after in pairwise(history):
        if before["size"] == after["size"]:
            continue
        at = parse_instant(after["at"])
        way = "out" if after["size"] > before["size"] else "in"
        earlier = [last[way]] if way in last else []
        earlier += [last["out"]] if way == "in" and "out" in last else []
        if earlier and at - max(earlier) < COOLDOWN:
            found.append(f"scaled {way} {at - max(earlier)} after the last one, at {at}")
        last[way] = at
    return found


def _records(records: list[Any], changes: int) -> list[str]:
    found = []
    streams: dict[str, list[int]] = {}
    for stream, sequence, _ in records:
        streams.setdefault(stream, []).append(sequence)
    if len(streams) != 1:
        found.append(f"the outbox began anew: {len(streams)} streams")
    if any(numbers != list(range(1, len(numbers) + 1)) for numbers in streams.values()):
        found.append("records are missing between the first and the last")
    events = ("SCALE_OUT", "SCALE_IN")
    steps = [r for _, _, r in records if r.get("scaling_event") in events]
    if len(steps) != changes:
        found.append(f"{changes} steps were made and {len(steps)} were told")
    return found


def sweep(loop: Loop) -> tuple[int, int]:
    """Kill at every step in turn of a life that applies a configuration and resizes the pool."""
    for step in range(1, 1000):
        curve = {"kind": "constant", "value": 780 if step % 2 else 60}
        loop.admin("POST", "demand", {"pool": "web", "curve": curve})
        loop.push()
        if not loop.one_life(step, 3):
            return step - 1, step
    raise AssertionError("a life has no thousand steps")


def main(kills: int, seed: int) -> int:
    """Run the loop, with 0 kills the sweep over every step; return the exit code."""
    with ExitStack() as stack:
        loop = Loop(stack, seed)
        loop.push()
        killed, lives, begin = 0, 0, time.monotonic()
        if kills == 0:
            killed, lives = sweep(loop)
        while killed < kills:
            loop.shake()
            killed += loop.random_life()
            lives += 1
        grown = quiesce(loop)
        problems = broken(loop, grown)
        (pool,) = loop.admin("GET", "state")["pools"]
        told = {
            "seed": seed,
            "kills": killed,
            "lives": lives,
            "seconds": round(time.monotonic() - begin, 1),
            "generations": loop.generation,
            "size_changes": sum(a["size"] != b["size"] for a, b in pairwise(pool["history"])),
            "records": len(loop.central()["records"]),
            "grown": grown,
            "broken": problems,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
