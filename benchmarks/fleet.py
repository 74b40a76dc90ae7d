"""Ten thousand virtual agents over real HTTP: three minutes at 30 s, a reconnect of all, a push.

Run with `python -m benchmarks.fleet`. Its own and central's limits on open files are checked first.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import resource
import time
from typing import Any

import psycopg2
import uvloop

from benchmarks import servers
from benchmarks.virtual_agent import Seen, VirtualAgent
from benchmarks.workload import CONFIG, fleet, plain
from central.tokens import digest

RESULTS = servers.ROOT / "benchmarks" / "results" / "fleet.json"
NEW_CONFIG = CONFIG.replace("max: 20", "max: 24")
BACKLOG = 5  # intervals that each agent owes after the outage
SPARE_FILES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--interval", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--outage", type=float, default=20.0)
    options = parser.parse_args()
    report = uvloop.run(_run(options))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    members = fleet(options.agents)
    report: dict[str, Any] = {
        "agents": options.agents,
        "interval_seconds": options.interval,
        "load_before": [round(value, 2) for value in os.getloadavg()],
    }
    with servers.postgres() as server:
        url = servers.database(server, "fleet", members)
        seen, chance = Seen(), random.Random(1)
        with servers.central(url) as central:
            report["open_files"] = _check_files(options.agents, central)
            agents = [VirtualAgent(central.url, member, seen, chance) for member in members]
            gc.freeze()
            gc.disable()  # its pauses would count as central's
            report["steady"] = await _steady(agents, options, seen)
            report["steady"]["central_peak_megabytes"] = round(central.peak_megabytes(), 1)
            print(json.dumps(report["steady"]), flush=True)
            report["push"] = await _push(url, agents, options, seen)
            print(json.dumps(report["push"]), flush=True)
            port = central.url.rpartition(":")[2]
        await asyncio.sleep(options.outage)
        lifecycle = _lifecycle(url)
        with servers.central(url, port=port) as central:
            report["reconnect"] = await _reconnect(agents, seen)
            print(json.dumps(report["reconnect"]), flush=True)
            report["reconnect"]["central_peak_megabytes"] = round(central.peak_megabytes(), 1)
            await asyncio.sleep(10)  # two sweeps
            report["reconnect"]["lifecycle_rows"] = _lifecycle(url) - lifecycle
        report["lifecycle_rows_in_all"] = _lifecycle(url)
        beats = sum(agent.beat for agent in agents)
        rows = servers.counts(url)
        report["rows"] = rows
        report["records_equal_acknowledged"] = rows["metrics"] == 4 * beats
    return report


def _check_files(agents: int, central: servers.Process) -> dict[str, int]:
    """Refuse to measure an exhausted table of files."""
    limits = {
        "agents": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "central": central.file_limit(),
    }
    print(f"open files allowed: {limits}; needed: {agents + SPARE_FILES} in each process")
    assert min(limits.values()) >= agents + SPARE_FILES, "raise it with `ulimit -n`"
    return limits


async def _steady(
    agents: list[VirtualAgent], options: argparse.Namespace, seen: Seen
) -> dict[str, Any]:
    for number, agent in enumerate(agents):
        agent.every(options.interval, options.interval * number / len(agents))
    await asyncio.sleep(options.seconds)
    return _figures(seen)


async def _push(
    url: str, agents: list[VirtualAgent], options: argparse.Namespace, seen: Seen
) -> dict[str, Any]:
    """Activate another configuration for all in one transaction, and count who has heard of it."""
    _forget(seen)
    hashed = digest(NEW_CONFIG)
    await asyncio.to_thread(_activate, url, hashed)
    pushed = {agent.member.node_id: agent.beat for agent in agents}
    owed = [agent for agent in agents if not agent.acknowledged]
    await asyncio.sleep(options.interval + 5)
    late = [a for a in agents if a.hash != hashed and a not in owed]
    heard = sum(agent.hash == hashed for agent in agents)
    most = max(agent.beat - pushed[agent.member.node_id] for agent in agents)
    for agent in agents:
        agent.rest()
    return {"agents_with_it": heard, "late": len(late), "most_heartbeats": most, **_figures(seen)}


def _activate(url: str, hashed: str) -> None:
    with contextlib.closing(psycopg2.connect(plain(url))) as connection:
        cursor = connection.cursor()
        cursor.execute("UPDATE node_configurations SET is_active = FALSE")
        cursor.execute(
            "INSERT INTO node_configurations (node_id, yaml_config, config_hash, generation)"
            " SELECT id, %s, %s, 2 FROM nodes",
            (NEW_CONFIG, hashed),
        )
        cursor.execute("UPDATE node_state SET active_hash = %s, active_generation = 2", (hashed,))
        connection.commit()


async def _reconnect(agents: list[VirtualAgent], seen: Seen) -> dict[str, Any]:
    """All at once, each with a backlog."""
    _forget(seen)
    started = time.monotonic()
    for agent in agents:
        agent.backlog = BACKLOG

    async def _return(agent: VirtualAgent) -> None:
        await agent.connect()
        agent.report()
        while not agent.acknowledged:
            await asyncio.sleep(0.5)
            if agent.transport is None:
                await agent.connect()
                agent.report()

    await asyncio.wait_for(asyncio.gather(*(_return(agent) for agent in agents)), 300)
    records = len(agents) * 6 * (1 + BACKLOG)
    return {
        "drained_seconds": round(time.monotonic() - started, 1),
        "records": records,
        **_figures(seen),
    }


def _lifecycle(url: str) -> int:
    with contextlib.closing(psycopg2.connect(plain(url))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM node_lifecycle_logs")
        (found,) = cursor.fetchone() or (-1,)
        return int(found)


def _forget(seen: Seen) -> None:
    seen.latencies.clear()
    seen.statuses.clear()
    seen.hashes.clear()
    seen.broken = 0


def _figures(seen: Seen) -> dict[str, Any]:
    return {
        "answers": dict(seen.statuses),
        "errors": seen.broken,
        "p50_ms": round(seen.percentile(50), 1),
        "p99_ms": round(seen.percentile(99), 1),
        "max_ms": round(1000 * max(seen.latencies), 1),
    }


if __name__ == "__main__":
    main()
