"""What the agent costs, side by side with a naive one: calls, time, memory, processor.

100 pools in 2 compartments, CPU and memory, 50 ms for every answer of OCI, a poll of 30 s; then
1,000 pools. Real processes, the real SDK over HTTP, signatures verified.

    python benchmarks/footprint.py [--quick]
"""

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.tenancy import Tenancy, Watched, agent, config, pool, status, tenancy, watched

LATENCY = 0.05
POLL = 30.0
RESULTS = Path(__file__).parent / "results" / "footprint.json"


def wait_for(condition: Any, seconds: float) -> float:
    """Return after how many seconds a condition came true; raise when it does not."""
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > seconds:
            raise TimeoutError("waited in vain")
        time.sleep(0.02)
    return time.monotonic() - begin


def measure_agent(
    at: Tenancy, pools: list[dict[str, Any]], polls: int, port: int, *, settle: bool
) -> dict[str, Any]:
    """Start an agent, let it get to know its members at a quick poll, then watch it at 30 s."""
    quick = config(pools, poll="3s") if settle else config(pools)
    with agent(at, quick, port) as running:
        wait_for(lambda: len(status(port).get("pools", ())) == len(pools), 120)
        first = time.monotonic() - running.started
        wait_for(lambda: status(port).get("last_tick_at"), 60)
        if settle:
            wait_for(lambda: not members_listed(at), 300)
            (at.home / "config.yaml").write_text(config(pools))
            running.process.send_signal(signal.SIGHUP)
        time.sleep(POLL + 5)
        figures = steady(at, running, polls, lambda: status(port)["last_tick_seconds"])
        return {"start_to_first_decision_seconds": round(first, 2), **figures}


def members_listed(at: Tenancy) -> int:
    """Return how many member lists were asked for within 8 seconds."""
    at.admin("DELETE", "requests")
    time.sleep(8)
    found = [entry["operation"] for entry in at.requests()]
    return found.count("ListInstancePoolInstances")


def steady(at: Tenancy, running: Watched, polls: int, tick_seconds: Any) -> dict[str, Any]:
    """Watch a few polls of a pool that has nothing to do."""
    at.admin("DELETE", "requests")
    begin, cpu = time.monotonic(), running.cpu_seconds()
    ticks = []
    for _ in range(polls):
        time.sleep(POLL)
        ticks.append(tick_seconds())
    elapsed = time.monotonic() - begin
    counts = Counter(entry["operation"] for entry in at.requests())
    return {
        "read_calls_per_poll": round(sum(counts.values()) / polls, 1),
        "calls": dict(counts),
        "tick_seconds": round(max(ticks), 2),
        "rss_mib": round(running.rss_mib(), 1),
        "cpu_percent_of_a_core": round(100 * (running.cpu_seconds() - cpu) / elapsed, 2),
    }


def measure_naive(at: Tenancy, pools: list[dict[str, Any]], polls: int) -> dict[str, Any]:
    path = at.home / "pools.json"
    path.write_text(json.dumps(pools))
    log = at.home / "naive.log"
    words = ["benchmarks/naive_agent.py", at.url, str(at.key.config_file), str(path), str(POLL)]
    with watched(words, {}, log) as running:
        wait_for(lambda: log.read_bytes().count(b"\n") >= 1, 300)
        first = time.monotonic() - running.started

        def last() -> float:
            return float(json.loads(log.read_text().splitlines()[-1])["seconds"])

        figures = steady(at, running, polls, last)
        return {"start_to_first_decision_seconds": round(first, 2), **figures}


def main() -> None:
    polls = 2 if "--quick" in sys.argv else 4
    hundred = [pool(n) for n in range(100)]
    results: dict[str, Any] = {}
    with tenancy(hundred, LATENCY) as at:
        ours = measure_agent(at, hundred, polls, 19467, settle=True)
        note(results, "poolkeeper, 100 pools", ours)
        note(results, "naive, 100 pools", measure_naive(at, hundred, polls))
    thousand = [pool(n) for n in range(1000)]
    with tenancy(thousand, LATENCY) as at:
        ours = measure_agent(at, thousand, polls, 19468, settle=False)
        note(results, "poolkeeper, 1,000 pools", ours)


def note(results: dict[str, Any], name: str, figures: dict[str, Any]) -> None:
    """Print what was measured and keep it at once: a run may be cut short."""
    results[name] = figures
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(name, flush=True)
    for key, value in figures.items():
        print(f"  {key:34} {value}", flush=True)


if __name__ == "__main__":
    main()
