"""Ten thousand nodes in a database, and the heartbeats that they would send, as bytes."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extras import execute_values

from central.tokens import Secret, digest, new_node_key

RECORDS = 6  # two rows of pool_analytics, four of metrics
CONFIG = """\
version: 1
timezone: Europe/Berlin
poll_interval: 30s
pools:
  - name: web
    instance_pool_id: ocid1.instancepool.oc1.eu-frankfurt-1.benchmark
    compartment_id: ocid1.compartment.oc1..benchmark
    region: eu-frankfurt-1
    limits: {min: 2, max: 20}
    policies:
      - {name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}
"""
CONFIG_HASH = digest(CONFIG)
OTHER_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Member:
    """A node of the fleet, with its key and its two pools."""

    node_id: int
    key: Secret

    @property
    def pools(self) -> tuple[str, str]:
        """The OCIDs of its pools."""
        stem = f"ocid1.instancepool.oc1.eu-frankfurt-1.{self.node_id:040d}"
        return (f"{stem}a", f"{stem}b")


def fleet(count: int) -> list[Member]:
    """Nodes 1 to `count`, each with a fresh key."""
    return [Member(node_id, new_node_key(node_id)) for node_id in range(1, count + 1)]


def plant(url: str, members: list[Member]) -> None:
    """Put a fleet that reported before into an empty database, with one active configuration."""
    with psycopg2.connect(plain(url)) as connection, connection.cursor() as cursor:
        rows = [(m.node_id, f"node-{m.node_id:05d}", m.key.digest) for m in members]
        execute_values(
            cursor,
            "INSERT INTO nodes (id, name, region, status, api_key_hash) VALUES %s",
            rows,
            template="(%s, %s, 'eu-frankfurt-1', 'ACTIVE', %s)",
            page_size=1000,
        )
        cursor.execute("SELECT setval('nodes_id_seq', (SELECT max(id) FROM nodes))")
        cursor.execute(
            "INSERT INTO node_keys (node_id, key_hash) SELECT id, api_key_hash FROM nodes"
        )
        cursor.execute(
            "INSERT INTO node_configurations (node_id, yaml_config, config_hash, generation)"
            " SELECT id, %s, %s, 1 FROM nodes",
            (CONFIG, CONFIG_HASH),
        )
        cursor.execute(
            "INSERT INTO node_state (node_id, boot_id, active_hash, active_generation)"
            " SELECT id, 'boot-0001', %s, 1 FROM nodes",
            (CONFIG_HASH,),
        )
        pools = [
            (m.node_id, ocid, name)
            for m in members
            for ocid, name in zip(m.pools, "ab", strict=True)
        ]
        execute_values(
            cursor,
            "INSERT INTO pools (node_id, oracle_pool_id, name, region) VALUES %s",
            pools,
            template="(%s, %s, %s, 'eu-frankfurt-1')",
            page_size=1000,
        )
    connection.autocommit = True
    with contextlib.closing(connection):
        connection.cursor().execute(
            "VACUUM (ANALYZE) nodes, node_keys, node_state, stream_cursors, pools"
        )
    connection.close()


def plain(url: str) -> str:
    """A SQLAlchemy URL as libpq reads it."""
    return url.replace("+psycopg2", "")


def heartbeat(
    member: Member, beat: int, *, running: str = CONFIG_HASH, intervals: int = 1
) -> bytes:
    """The body of a node's `beat`-th heartbeat (from 1), with six records that it never sent yet.

    With more intervals it also carries those of the heartbeats before it.
    """
    now = datetime.now(UTC).isoformat()  # a load generator lives in real time
    body = {
        "protocol": 1,
        "agent_version": "0.1.0",
        "capabilities": ["demand", "overrides"],
        "stream_id": f"stream-{member.node_id:08d}",
        "boot_id": "boot-0001",
        "sequence": beat,
        "sent_at": now,
        "last_tick_at": now,
        "tzdata_version": "2026.6",
        "config": {
            "running_hash": running,
            "received_hash": running,
            "status": "applied",
            "generation": 1,
        },
        "node_metrics": {"cpu": 3.5, "memory": 41.0, "disk": 27.5, "load": 0.25},
        "records": [
            record
            for number in range(beat - intervals, beat)
            for record in _records(member, number * RECORDS, now, running)
        ],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _records(member: Member, before: int, now: str, hashed: str) -> list[dict[str, object]]:
    web, worker = member.pools
    return [
        _analytics(before + 1, web, now, hashed),
        _metric(before + 2, "pool_cpu", 57.5, "percent", now, web),
        _analytics(before + 3, worker, now, hashed),
        _metric(before + 4, "pool_cpu", 41.25, "percent", now, worker),
        _metric(before + 5, "node_cpu", 3.5, "percent", now, None),
        _metric(before + 6, "node_memory", 41.0, "percent", now, None),
    ]


def _analytics(sequence: int, ocid: str, now: str, hashed: str) -> dict[str, object]:
    return {
        "kind": "pool_analytics",
        "sequence": sequence,
        "oracle_pool_id": ocid,
        "timestamp": now,
        "current_instances": 6,
        "active_instances": 6,
        "avg_cpu_utilization": 57.5,
        "avg_memory_utilization": 44.0,
        "max_cpu_utilization": 63.0,
        "max_memory_utilization": 51.5,
        "scaling_reason": "CPU 57.5 % is inside the tolerance of the target 60 %",
        "config_hash": hashed,
        "decision": {"action": "hold", "current": 6, "desired": 6, "code": "inside_tolerance"},
    }


def _metric(
    sequence: int, kind: str, value: float, unit: str, now: str, ocid: str | None
) -> dict[str, object]:
    return {
        "kind": "metric",
        "sequence": sequence,
        "oracle_pool_id": ocid,
        "metric_type": kind,
        "value": value,
        "unit": unit,
        "timestamp": now,
    }


def request(url: str, member: Member, body: bytes) -> bytes:
    """A heartbeat as it travels over a kept connection."""
    head = (
        f"POST /v1/heartbeat HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Authorization: Bearer {member.key.text}\r\nContent-Type: application/json\r\n"
        f"User-Agent: poolkeeper-agent/0.1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests(url: str, members: list[Member], beats: Iterable[int]) -> Iterator[bytes]:
    """Every node's heartbeat in turn, round after round; each hundredth has a differing hash."""
    for beat in beats:
        for member in members:
            running = OTHER_HASH if member.node_id % 100 == 0 else CONFIG_HASH
            yield request(url, member, heartbeat(member, beat, running=running))
