"""The pages of a fleet of 1,000 nodes and 2,000 pools: the server's time, and a browser's.

Two days of roll-ups and a day of raw rows stand behind them. Run with
`python -m benchmarks.web_pages`; it needs Chromium (CHROMIUM, or `chromium` on the PATH).
"""

import argparse
import contextlib
import http.client
import json
import os
import shutil
import statistics
import time
from typing import Any
from urllib.parse import urlsplit

import psycopg2

from benchmarks import servers
from benchmarks.history import PERSON, QUICKLY, generate, reader_token
from benchmarks.workload import fleet, plain
from central.passwords import hash_password
from tests.chromium import Window, chromium

RESULTS = servers.ROOT / "benchmarks" / "results" / "web_pages.json"
PASSWORD = "correct horse battery"
SERVER_GOAL_MS, USABLE_GOAL_MS = 200.0, 1000.0
TROUBLE = """
UPDATE nodes SET last_heartbeat = now() - interval '5 s',
    status = (CASE WHEN id % 50 = 0 THEN 'OFFLINE' WHEN id % 70 = 0 THEN 'ERROR'
                   ELSE 'ACTIVE' END)::node_status;
UPDATE pools SET last_analytics_at = now(), current_instances = 6;
INSERT INTO node_lifecycle_logs (node_id, event_type, previous_status, new_status, reason)
SELECT id, 'WENT_OFFLINE', 'ACTIVE', 'OFFLINE', 'no heartbeat for 105 s' FROM nodes
WHERE id % 50 = 0;
"""
PAGES = {
    "fleet": "/",
    "fleet, the live part": "/fleet/rows",
    "fleet, filtered": "/?sync=pending&order=heartbeat",
    "nodes": "/nodes",
    "node": "/nodes/node-00007",
    "pool": "/nodes/node-00007/pools/a",
    "lifecycle": "/lifecycle",
    "system": "/system",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--raw-days", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    with servers.postgres(QUICKLY) as server:
        url = servers.database(server, "pages", fleet(options.nodes))
        report: dict[str, Any] = {"nodes": options.nodes, "rows": _fill(url, options)}
        token = reader_token(url, hash_password(PASSWORD))
        report["load_before"] = [round(value, 2) for value in os.getloadavg()]
        with servers.central(url) as central:
            report["server"] = {
                name: _asked(central.url, path, token, options.repeats)
                for name, path in PAGES.items()
            }
            report["browser"] = _browsed(central.url)
    for name, found in report["server"].items():
        print(f"{name:24} {found['median_ms']:8.1f} ms median {found['bytes']:8d} bytes")
    for name, milliseconds in report["browser"].items():
        print(f"{name:24} {milliseconds:8.1f} ms until it can be used, in the browser")
    print(f"goals: {SERVER_GOAL_MS:.0f} ms for the server, {USABLE_GOAL_MS:.0f} ms in the browser")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _fill(url: str, options: argparse.Namespace) -> dict[str, int]:
    with contextlib.closing(psycopg2.connect(plain(url))) as connection:
        connection.autocommit = True
        connection.cursor().execute(TROUBLE)
    return generate(url, options)


def _asked(url: str, path: str, token: str, repeats: int) -> dict[str, Any]:
    """Times and size of an answer, packed as browsers take it."""
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    times, size = [], 0
    for _ in range(repeats):
        started = time.perf_counter()
        client.request("GET", path, headers={**headers, "Accept": "text/html"})
        answer = client.getresponse()
        body = answer.read()
        times.append(1000 * (time.perf_counter() - started))
        assert answer.status == 200, (path, answer.status, body[:300])
        size = len(body)
    client.close()
    return {
        "median_ms": round(statistics.median(times), 1),
        "worst_ms": round(max(times), 1),
        "bytes": size,
    }


def _browsed(url: str) -> dict[str, float]:
    """From the click to a page whose scripts have run, as the browser's own clock tells."""
    found: dict[str, float] = {}
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
    with chromium(executable) as browser:
        window = Window(browser, url)
        window.sign_in(PERSON, PASSWORD)
        for name in ("fleet", "pool"):
            times = []
            for _ in range(5):
                window.page.goto(PAGES[name])
                window.page.wait_for_load_state("load")
                times.append(
                    window.page.evaluate(
                        "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
                    )
                )
            found[name] = round(statistics.median(times), 1)
        window.close()
    return found


if __name__ == "__main__":
    main()
