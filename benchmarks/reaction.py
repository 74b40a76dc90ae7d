"""How fast the agent reacts: real processes, real time, no lag of Monitoring.

A load step right after a metric window begins is first visible when that window ends; what is
measured is from there to the resize call, and from a schedule's edge to its resize call.

    python benchmarks/reaction.py
"""

import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.tenancy import Tenancy, agent, config, pool, status, tenancy

POLL = 45  # a poll that does not divide the minute: edges fall between polls
ROUNDS, POOLS_A_ROUND, EDGES = 3, 4, 3
RESULTS = Path(__file__).parent / "results" / "reaction.json"
PORT = 19469


def next_minute() -> datetime:
    now = datetime.now(UTC)
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


def sleep_until(instant: datetime) -> None:
    time.sleep(max(0.0, (instant - datetime.now(UTC)).total_seconds()))


def edges_yaml(names: list[str], first: datetime) -> str:
    """Return a schedule for each pool, a minute after the one before."""
    lines = ["schedules:"]
    for number, name in enumerate(names):
        start = first + timedelta(minutes=number)
        end = start + timedelta(hours=1)
        lines.append(
            f'  - {{name: {name}, pools: [{name}], start: "{start:%H:%M}", end: "{end:%H:%M}",'
            " target_instances: 6}"
        )
    return "\n".join(lines)


def first_writes(at: Tenancy) -> dict[str, datetime]:
    """Return when each pool was first resized."""
    found: dict[str, datetime] = {}
    for entry in at.requests():
        if entry["operation"] == "UpdateInstancePool":
            pool_id = entry["path"].rpartition("/")[2]
            found.setdefault(pool_id, datetime.fromisoformat(entry["at"]))
    return found


def main() -> None:
    stepped = [pool(n, samples_per_minute=6) for n in range(ROUNDS * POOLS_A_ROUND)]
    timed = [pool(900 + n) for n in range(EDGES)]
    first_edge = next_minute() + timedelta(minutes=2)
    schedules = edges_yaml([one["name"] for one in timed], first_edge)
    windows: dict[str, datetime] = {}
    with (
        tenancy(stepped + timed) as at,
        agent(at, config(stepped + timed, schedules, f"{POLL}s"), PORT),
    ):
        while len(status(PORT).get("pools", ())) < len(stepped + timed):
            time.sleep(0.1)
        for number in range(ROUNDS):
            begins = next_minute()
            sleep_until(begins + timedelta(seconds=0.2))
            for one in stepped[number * POOLS_A_ROUND : (number + 1) * POOLS_A_ROUND]:
                curve = {"kind": "constant", "value": 400}
                at.admin("POST", "demand", {"pool": one["name"], "curve": curve})
                windows[one["id"]] = begins + timedelta(minutes=1)
        sleep_until(max(*windows.values(), first_edge + timedelta(minutes=EDGES - 1)))
        time.sleep(POLL + 5)
        writes = first_writes(at)
    report(
        windows,
        writes,
        {one["id"]: first_edge + timedelta(minutes=n) for n, one in enumerate(timed)},
    )


def report(
    windows: dict[str, datetime], writes: dict[str, datetime], edges: dict[str, datetime]
) -> None:
    def late(due: dict[str, datetime]) -> list[float]:
        return sorted(
            round((writes[pool_id] - at).total_seconds(), 2)
            for pool_id, at in due.items()
            if pool_id in writes
        )

    steps, opened = late(windows), late(edges)
    results: dict[str, Any] = {
        "poll_seconds": POLL,
        "load_steps": len(windows),
        "load_steps_answered": len(steps),
        "from_closed_window_to_resize_seconds": steps,
        "median_seconds": statistics.median(steps),
        "schedule_edges": len(edges),
        "schedule_edges_late_seconds": opened,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
