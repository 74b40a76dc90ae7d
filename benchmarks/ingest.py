"""Heartbeats per second, each answered after its commit: central, a naive service, and pgbench.

One client tool, one PostgreSQL, one machine, one run. Run with `python -m benchmarks.ingest`.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import http_load, servers
from benchmarks.workload import RECORDS, Member, fleet, plain, requests
from central.embedded import EmbeddedPostgres

RESULTS = servers.ROOT / "benchmarks" / "results" / "ingest.json"
SCRIPT = Path(__file__).with_name("heartbeat.pgbench.sql")
NODES = 10_000
CLIENTS = 8
CONNECTIONS = 512
NAIVE_CONNECTIONS = 40  # as many as its framework has threads; more only lengthen its queue
PER_HEARTBEAT = {"node_heartbeats": 1, "pool_analytics": 2, "metrics": 4}


def main() -> None:
    options = _options()
    members = fleet(NODES)
    with servers.postgres() as server:
        report: dict[str, Any] = {"machine": _machine()}
        urls = {name: servers.database(server, name, members) for name in ("a", "b", "c")}
        report["postgresql"] = servers.durability(urls["a"])
        print(json.dumps(report, indent=2))
        if "naive" in options.parts:
            report["naive"] = _naive(server, urls["a"], members, options.naive)
        if "central" in options.parts:
            report["central"] = _central(server, urls["b"], members, options)
        if "pgbench" in options.parts:
            report["pgbench"] = _pgbench(server, urls["c"], options.seconds)
    _compare(report)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"written: {RESULTS}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--naive", type=int, default=NODES, help="heartbeats for the naive service")
    parser.add_argument("--rounds", type=int, default=5, help="times every node sends, to central")
    parser.add_argument("--half-seconds", type=int, default=15, help="how long half load lasts")
    parser.add_argument("--seconds", type=int, default=20, help="how long pgbench runs")
    parser.add_argument("--parts", nargs="+", default=["naive", "central", "pgbench"])
    return parser.parse_args()


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _naive(
    server: EmbeddedPostgres, url: str, members: list[Member], heartbeats: int
) -> dict[str, Any]:
    servers.checkpoint(server)
    with servers.naive(url) as process:
        made = requests(process.url, members, range(1, 2 + heartbeats // NODES))
        tally = _load(process.url, islice(made, heartbeats), NAIVE_CONNECTIONS)
        figures = {**tally.summary(), "cpu_seconds": process.cpu_seconds()}
    return _checked("naive", figures, tally.acknowledged, url)


def _central(
    server: EmbeddedPostgres, url: str, members: list[Member], options: argparse.Namespace
) -> dict[str, Any]:
    servers.checkpoint(server)
    rounds = options.rounds
    with servers.central(url) as process:
        cold = _load(process.url, requests(process.url, members, range(1, 2)), CONNECTIONS)
        before = process.cpu_seconds()
        full = _load(process.url, requests(process.url, members, range(2, 2 + rounds)), CONNECTIONS)
        used = process.cpu_seconds() - before
        rate = full.rate / 2
        wanted = int(rate * options.half_seconds)
        later = range(2 + rounds, 3 + rounds + wanted // NODES)
        sent = islice(requests(process.url, members, later), wanted)
        half = _load(process.url, sent, CONNECTIONS, rate=rate)
        peak = process.peak_megabytes()
    figures = {
        **full.summary(),
        "cpu_seconds": round(used, 2),
        "peak_megabytes": round(peak, 1),
        "first_round": cold.summary(),
        "half_load": {"offered_per_second": round(rate, 1), **half.summary()},
    }
    return _checked("central", figures, sum(t.acknowledged for t in (cold, full, half)), url)


def _load(
    url: str, made: Iterable[bytes], connections: int, rate: float | None = None
) -> http_load.Tally:
    """Prepare every request first, so that making them costs the measurement nothing."""
    ready = list(made)
    gc.freeze()
    gc.disable()
    try:
        return asyncio.run(http_load.run(url, ready, connections=connections, rate=rate))
    finally:
        gc.enable()
        gc.unfreeze()


def _pgbench(server: EmbeddedPostgres, url: str, seconds: int) -> dict[str, Any]:
    servers.checkpoint(server)
    program = servers.program(server, "pgbench")
    command = [str(program), plain(url), "-n", "-M", "prepared", "-f", str(SCRIPT)]
    command += ["-c", str(CLIENTS), "-j", "1", "-T", str(seconds), "-D", "i=0"]
    command += ["-D", f"nodes_per_client={NODES // CLIENTS}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    count = re.search(r"actually processed: (\d+)", done.stdout)
    latency = re.search(r"latency average = ([\d.]+)", done.stdout)
    assert found, done.stdout
    assert count, done.stdout
    assert latency, done.stdout
    figures = {
        "per_second": round(float(found[1]), 1),
        "acknowledged": int(count[1]),
        "average_ms": float(latency[1]),
        "clients": CLIENTS,
    }
    return _checked("pgbench", figures, int(count[1]), url)


def _checked(name: str, figures: dict[str, Any], acknowledged: int, url: str) -> dict[str, Any]:
    """Every acknowledged record is a row, and there is no other."""
    rows = servers.counts(url)
    expected = {table: each * acknowledged for table, each in PER_HEARTBEAT.items()}
    figures["rows"] = rows
    figures["rows_equal_acknowledged"] = rows == expected
    print(name, json.dumps(figures, indent=2))
    assert rows == expected, f"{name}: {rows} instead of {expected}"
    assert sum(PER_HEARTBEAT.values()) - 1 == RECORDS
    return figures


def _compare(report: dict[str, Any]) -> None:
    central = report.get("central", {}).get("per_second")
    lines = [f"{'':22}{'heartbeats/s':>14}{'ratio':>10}"]
    for name in ("naive", "pgbench", "central"):
        if name in report and central:
            rate = report[name]["per_second"]
            report[name]["central_over"] = round(central / rate, 2)
            lines.append(f"{name:22}{rate:14.1f}{central / rate:10.2f}")
    if central:
        half = report["central"]["half_load"]
        lines.append(f"p99 at half load ({half['offered_per_second']}/s): {half['p99_ms']} ms")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
