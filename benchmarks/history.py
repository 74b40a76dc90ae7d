"""Reading 30 days of history: charts, the node list and the newest lifecycle page, over HTTP.

1,000 nodes of two pools: 17 million 5-minute roll-ups, their hours, and two days of raw rows. Run
with `python -m benchmarks.history`; it needs some 10 GB in /tmp and several minutes to generate.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import psycopg2

from benchmarks import servers
from benchmarks.workload import fleet, plain
from central.database import open_engine
from central.history.spans import Span, span_of
from central.store import sessions, users
from central.tokens import new_session_token

RESULTS = servers.ROOT / "benchmarks" / "results" / "history.json"
# Generating is not measured: nothing is lost if it is interrupted.
QUICKLY = {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "8GB"}
QUICKLY |= {"fsync": "off", "synchronous_commit": "off", "maintenance_work_mem": "512MB"}
PERSON = "bench@example.com"
GOAL_MS = 100.0  # for these four; the others show what finer steps cost
JUDGED = ("chart of 24 hours", "chart of 30 days", "node list", "newest lifecycle page")
ROLLED = """
CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO {name} SELECT p.id, t.bucket, {samples}, s, s, s, s, s, s, s, s,
    {samples}, c - 4, c + 4, c, c + 1, c + 9, {samples}, 40, 48, 44, 45, 52
FROM generate_series('{first}'::timestamp, '{last}'::timestamp, '{step}') AS t (bucket)
CROSS JOIN (SELECT id FROM pools ORDER BY id) AS p
CROSS JOIN LATERAL (SELECT 4 + (p.id + EXTRACT(HOUR FROM t.bucket)::int) % 12 AS s,
                           30 + (p.id * 7 + EXTRACT(MINUTE FROM t.bucket)::int) % 60 AS c) AS v
"""
RAW = """
CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO {name} (id, pool_id, node_id, oracle_pool_id, timestamp, received_at,
    current_instances, active_instances, avg_cpu_utilization, avg_memory_utilization,
    max_cpu_utilization, max_memory_utilization, scaling_reason, decision)
SELECT nextval('pool_analytics_id_seq'), p.id, p.node_id, p.oracle_pool_id, t.at,
    t.at + interval '2 s', 6, 6, 57.5, 44, 63, 51.5, 'inside the tolerance',
    '{{"action": "hold", "current": 6, "desired": 6}}'
FROM generate_series('{first}'::timestamp, '{last}'::timestamp, '1 minute') AS t (at)
CROSS JOIN (SELECT id, node_id, oracle_pool_id FROM pools ORDER BY id) AS p
"""
LIFECYCLE = """
INSERT INTO node_lifecycle_logs (node_id, event_type, previous_status, new_status, timestamp)
SELECT n.id, 'WENT_OFFLINE', 'ACTIVE', 'OFFLINE', now() - t.day * interval '1 day'
FROM generate_series(1, 100) AS t (day) CROSS JOIN nodes n ORDER BY t.day DESC
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--raw-days", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    with servers.postgres(QUICKLY) as server:
        url = servers.database(server, "history", fleet(options.nodes))
        started = time.monotonic()
        rows = generate(url, options)
        report: dict[str, Any] = {"rows": rows, "generated_seconds": time.monotonic() - started}
        report["load_before"] = [round(value, 2) for value in os.getloadavg()]
        print(json.dumps(report))
        with servers.central(url) as central:
            report["queries"] = _measure(central.url, reader_token(url), options)
        report["pruning"] = _pruning(url)
    report["within_goal"] = all(report["queries"][n]["median_ms"] <= GOAL_MS for n in JUDGED)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def generate(url: str, options: argparse.Namespace) -> dict[str, int]:
    parts = [
        ("pool_analytics_5m", options.days, {"step": "5 minutes", "samples": 5}, ROLLED),
        ("pool_analytics_1h", options.days, {"step": "1 hour", "samples": 60}, ROLLED),
        ("pool_analytics", options.raw_days, {}, RAW),
    ]
    counts = {}
    with contextlib.closing(psycopg2.connect(plain(url))) as connection:
        cursor = connection.cursor()
        for name in ("pool_analytics_5m", "pool_analytics_1h", "metrics_5m", "metrics_1h"):
            # what is generated here is rolled up already
            cursor.execute("INSERT INTO rollup_state VALUES (%s, now())", (name,))
        cursor.execute(LIFECYCLE)
        counts["node_lifecycle_logs"] = cursor.rowcount
        for table, days, values, statement in parts:
            counts[table] = 0
            for span, first, last in _spans(table, days):
                cursor.execute(f"DROP TABLE IF EXISTS {span.name}")
                cursor.execute(
                    statement.format(name=span.name, table=table, first=first, last=last, **values)
                )
                counts[table] += cursor.rowcount
                cursor.execute(
                    f"ALTER TABLE {table} ATTACH PARTITION {span.name}"
                    f" FOR VALUES FROM ('{span.first}') TO ('{span.end}')"
                )
                connection.commit()
            print(f"{table}: {counts[table]} rows", flush=True)
        connection.autocommit = True
        cursor.execute("VACUUM (ANALYZE)")
    return counts


def _spans(table: str, days: int) -> Iterator[tuple[Span, datetime, datetime]]:
    """Partitions of the days up to now, each with its first and last instant to fill."""
    now = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0)
    start = now - timedelta(days=days)
    begin = start.replace(hour=0, minute=0)
    listed = [begin.date() + timedelta(days=n) for n in range(days + 1)]
    for span in sorted({span_of(table, day) for day in listed}):
        first = max(begin + timedelta(days=1), datetime.combine(span.first, begin.time()))
        last = min(now, datetime.combine(span.end, begin.time()) - timedelta(minutes=1))
        if first < last:
            yield span, first, last


def reader_token(url: str, hashed_password: str = "no password") -> str:
    """Make an account; returns the token of a session of it."""
    token = new_session_token()
    engine = open_engine(url)
    with engine.begin() as connection:
        users.create(connection, PERSON, "ADMIN", "Bench", hashed_password)
        user = users.by_email(connection, PERSON)
        assert user is not None
        sessions.start(connection, user.id, sessions.Opening(token.digest))
    engine.dispose()
    return token.text


def _measure(url: str, token: str, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    now = datetime.now(UTC)
    chance = random.Random(1)

    def _chart(days: float, **more: str) -> str:
        node = chance.randint(1, options.nodes)
        between = {"from": (now - timedelta(days=days)).isoformat(), "to": now.isoformat()}
        return f"/v1/pools/{quote(f'node-{node:05d}/a', safe='')}/chart?" + urlencode(
            {**between, **more}
        )

    queries: dict[str, Callable[[], str]] = {
        "chart of 24 hours": lambda: _chart(1),
        "chart of 24 hours by the minute": lambda: _chart(1, step="60"),
        "chart of 30 days": lambda: _chart(options.days - 1),
        "chart of 30 days, from 5-minute rows": lambda: _chart(options.days - 1, step="900"),
        "node list": lambda: "/v1/nodes",
        "newest lifecycle page": lambda: "/v1/lifecycle",
    }
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    found = {}
    for name, path in queries.items():
        times, points = [], 0
        for _ in range(options.repeats):
            started = time.perf_counter()
            client.request("GET", path(), headers={"Authorization": f"Bearer {token}"})
            answer = client.getresponse()
            body = answer.read()
            times.append(1000 * (time.perf_counter() - started))
            assert answer.status == 200, body
            points = len(json.loads(body))
        found[name] = {
            "median_ms": round(statistics.median(times), 1),
            "worst_ms": round(max(times), 1),
            "rows": points,
        }
    client.close()
    return found


def _pruning(url: str) -> dict[str, dict[str, int]]:
    """How many of the partitions that there are a chart's plan still has."""
    asked = {
        "24 hours": ("pool_analytics_5m", "bucket", 1),
        "30 days": ("pool_analytics_1h", "bucket", 29),
        "24 hours, raw": ("pool_analytics", "received_at", 1),
    }
    found = {}
    with contextlib.closing(psycopg2.connect(plain(url))) as connection:
        cursor = connection.cursor()
        for name, (table, column, days) in asked.items():
            cursor.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM {table} WHERE pool_id = 7"
                f" AND {column} >= now()::timestamp - interval '{days} days'"
            )
            (plan,) = cursor.fetchone() or ([],)
            scanned = len(set(re.findall(rf"{table}_[0-9]{{8}}", json.dumps(plan))))
            cursor.execute(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass", (table,)
            )
            (there,) = cursor.fetchone() or (0,)
            found[name] = {"scanned": scanned, "partitions": there}
    return found


if __name__ == "__main__":
    main()
