"""What the demo believes: rows in central's PostgreSQL, read with plain SQL."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

from central import liveness


@dataclass(frozen=True, slots=True)
class Row:
    """One row of pool_analytics."""

    at: datetime
    size: int
    running: int
    event: str | None
    reason: str
    cpu: float


class Evidence:
    """Reads central's embedded database; connects for each look, since central comes and goes."""

    def __init__(self, data_directory: Path) -> None:
        self._data = data_directory

    def _query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        password = (self._data / "poolkeeper.password").read_text("ascii")
        connection = psycopg2.connect(
            host=str(self._data / "run"),
            user="poolkeeper",
            password=password,
            dbname="poolkeeper",
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def rows(self, since: datetime | None = None) -> list[Row]:
        """The pool's history by event time."""
        found = self._query(
            "SELECT timestamp, current_instances, active_instances, scaling_event, "
            "scaling_reason, avg_cpu_utilization FROM pool_analytics "
            "WHERE received_at > now() - interval '1 day' AND (%s IS NULL OR timestamp >= %s) "
            "ORDER BY timestamp, id",
            since,
            since,
        )
        return [
            Row(at, size, running, event, reason or "", cpu)
            for at, size, running, event, reason, cpu in found
        ]

    def running_hash(self) -> str | None:
        """The hash that the node last reported to run."""
        found = self._query(
            "SELECT config_hash FROM node_heartbeats WHERE received_at > now() - interval '1 day' "
            "ORDER BY id DESC LIMIT 1"
        )
        return str(found[0][0]) if found and found[0][0] else None

    def active_hash(self) -> str | None:
        """The hash of the configuration that central wants."""
        found = self._query("SELECT config_hash FROM node_configurations WHERE is_active")
        return str(found[0][0]) if found else None

    def acknowledged(self) -> dict[str, int]:
        """For each stream of records, the last sequence that central has acknowledged."""
        return dict(self._query("SELECT stream_id, last_sequence FROM stream_cursors"))

    def stored_records(self) -> int:
        """How many rows came from the agent's records."""
        found = self._query(
            "SELECT (SELECT count(*) FROM pool_analytics) + (SELECT count(*) FROM metrics) + "
            "(SELECT count(*) FROM node_lifecycle_logs WHERE NOT event_type = ANY(%s))",
            sorted(set(liveness.EVENTS.values())),
        )
        return int(found[0][0])

    def doubles(self) -> int:
        """How many (pool, time, event, reason) stand twice in pool_analytics."""
        found = self._query(
            "SELECT count(*) FROM (SELECT 1 FROM pool_analytics GROUP BY pool_id, timestamp, "
            "scaling_event, scaling_reason HAVING count(*) > 1) twice"
        )
        return int(found[0][0])
