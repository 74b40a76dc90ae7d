"""Heartbeats at half load while a thousand logins fail: what the flood costs in latency.

Short windows in turn, quiet and with logins spread over accounts and addresses. The median of the
flooded windows' 99th percentiles over that of the quiet ones is what counts: one window's varies
by half on a machine that others share. Run with `python -m benchmarks.login_flood`.
"""

import argparse
import asyncio
import json
import os
import statistics
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from multiprocessing import get_context
from typing import Any
from urllib.parse import urlsplit

from benchmarks import http_load, servers
from benchmarks.workload import Member, fleet, requests

RESULTS = servers.ROOT / "benchmarks" / "results" / "login_flood.json"
NODES = 2_000
CONNECTIONS = 256
LOGINS = 1_000
ACCOUNTS, ADDRESSES = 250, 199
GOAL = 1.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="how long a window lasts")
    parser.add_argument("--pairs", type=int, default=20, help="how many pairs of windows")
    parser.add_argument("--rate", type=float, help="heartbeats/s; default: half of what it can do")
    options = parser.parse_args()
    os.environ["POOLKEEPER_TRUSTED_PROXIES"] = "127.0.0.1"  # the addresses are in a header
    members = fleet(NODES)
    with servers.postgres() as server:
        url = servers.database(server, "flood", members)
        servers.checkpoint(server)
        with servers.central(url) as process:
            report = asyncio.run(_measure(process.url, members, options))
    print(json.dumps(report, indent=2))
    print(f"p99 with the flood / without: {report['ratio']} (wanted: below {GOAL})")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


async def _measure(url: str, members: list[Member], options: argparse.Namespace) -> dict[str, Any]:
    beats = requests(url, members, count(1))
    warm = list(islice(beats, 10 * NODES))  # some seconds: a short burst is faster than what lasts
    full = await http_load.run(url, warm, connections=CONNECTIONS)
    rate = options.rate or full.rate / 2
    windows, refused = await _in_turn(url, beats, rate, options)
    medians = {
        f"{kind}_{name}_ms": round(statistics.median(tally.percentile(p) for tally in seen), 1)
        for kind, seen in windows.items()
        for name, p in (("p50", 50), ("p99", 99))
    }
    return {
        "load_before": [round(value, 2) for value in os.getloadavg()],
        "offered_per_second": round(rate, 1),
        "windows": {
            kind: [round(tally.percentile(99), 1) for tally in seen]
            for kind, seen in windows.items()
        },
        "logins": {str(code): n for code, n in sorted(refused.items())},
        **medians,
        "ratio": round(medians["flooded_p99_ms"] / medians["quiet_p99_ms"], 3),
    }


async def _in_turn(
    url: str, beats: Iterator[bytes], rate: float, options: argparse.Namespace
) -> tuple[dict[str, list[http_load.Tally]], Counter[int]]:
    """The windows of both kinds, and what the wrong logins were answered."""
    windows: dict[str, list[http_load.Tally]] = {"quiet": [], "flooded": []}
    flood, refused, loop = logins(url), Counter[int](), asyncio.get_running_loop()
    with ProcessPoolExecutor(1, get_context("spawn")) as intruder:
        await loop.run_in_executor(intruder, wrong_logins, url, [], 1)  # it has begun, and imported
        for pair in range(options.pairs):
            for kind in ("quiet", "flooded") if pair % 2 else ("flooded", "quiet"):
                window = _window(url, beats, rate, options.seconds)
                if kind == "quiet":
                    windows[kind].append(await window)
                    continue
                share = list(islice(flood, LOGINS // options.pairs))
                wrong = loop.run_in_executor(intruder, wrong_logins, url, share, options.seconds)
                seen, told = await asyncio.gather(window, wrong)
                windows[kind].append(seen)
                refused += told
    return windows, refused


def wrong_logins(url: str, share: list[bytes], seconds: int) -> Counter[int]:
    """Send them at even distances, from a process that has no part in what is measured."""
    pace = len(share) / seconds
    return asyncio.run(http_load.run(url, share, connections=16, rate=pace)).statuses


async def _window(url: str, beats: Iterator[bytes], rate: float, seconds: int) -> http_load.Tally:
    ready = list(islice(beats, int(rate * seconds)))
    return await http_load.run(url, ready, connections=CONNECTIONS, rate=rate)


def logins(url: str) -> Iterator[bytes]:
    """Wrong logins, each from another address to another account than its neighbours."""
    for number in count():
        email = f"user-{number % ACCOUNTS}@example.com"
        body = json.dumps({"email": email, "password": f"wrong {number}"}).encode()
        yield (
            f"POST /v1/login HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
            f"X-Forwarded-For: 192.0.2.{1 + number % ADDRESSES}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


if __name__ == "__main__":
    main()
