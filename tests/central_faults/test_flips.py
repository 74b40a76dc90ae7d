"""Ten thousand changes of status with two replicas: one row for each, and they alternate."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from central.database import open_engine
from central.ingest.model import Submission
from central.ingest.records import read_heartbeat
from central.ingest.transaction import GroupCommit
from central.store.sweep import sweep
from tests import postgres
from tests.central_server import eventually
from tests.heartbeats import beat

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NODES = 1000  # half of them fall silent at a time: that is not yet a mass failure
ROUNDS = 10
PLANT = """
WITH made AS (
    INSERT INTO nodes (name, region, status)
    SELECT 'node-' || n, 'eu-frankfurt-1', 'ACTIVE' FROM generate_series(1, :nodes) AS n
    RETURNING id
)
INSERT INTO node_state (node_id, deadline_at) SELECT id, now() + interval '1 hour' FROM made
"""
SILENCE = "UPDATE node_state SET deadline_at = now() - interval '1 s' WHERE node_id % 2 = :half"
COUNT = "SELECT count(*) FROM nodes WHERE status = :status"


class Replica:
    """The parts of a central that change a node's status: a sweeper and a writer."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self._commit = GroupCommit(self.engine, lambda: 30.0)

    def sweep(self, stop: threading.Event) -> None:
        """Sweep without pause."""
        while not stop.is_set():
            with self.engine.begin() as connection:
                sweep(connection)

    def hear(self, bodies: dict[int, bytes]) -> None:
        """Commit heartbeats, again and again those whose node was locked."""
        batch: list[Submission] = [
            read_heartbeat(node, body, None) for node, body in bodies.items()
        ]
        while batch:
            batch = self._commit.write(batch).busy

    def close(self) -> None:
        """Let go of the connections."""
        self._commit.close()
        self.engine.dispose()


@contextmanager
def two_replicas(url: str) -> Iterator[list[Replica]]:
    replicas = [Replica(url), Replica(url)]
    stop = threading.Event()
    threads = [threading.Thread(target=replica.sweep, args=(stop,)) for replica in replicas]
    for thread in threads:
        thread.start()
    try:
        yield replicas
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        for replica in replicas:
            replica.close()


def test_ten_thousand_flips(durable: postgres.Cluster, engine: Engine) -> None:
    del durable
    with engine.begin() as connection:
        connection.execute(text(PLANT), {"nodes": NODES})
    url = engine.url.render_as_string(hide_password=False)
    with two_replicas(url) as replicas:
        for number in range(1, ROUNDS + 1):
            half = number % 2
            with engine.begin() as connection:
                connection.execute(text(SILENCE), {"half": half})
            eventually(lambda: count(engine, "OFFLINE") == NODES // 2, within=60)
            bodies = {
                node: json.dumps(beat(number)).encode()
                for node in range(1, NODES + 1)
                if node % 2 == half
            }
            threads = [threading.Thread(target=r.hear, args=(bodies,)) for r in replicas]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert count(engine, "ACTIVE") == NODES
    flips = 0
    for changes in transitions(engine).values():
        flips += len(changes)
        expected = [("ACTIVE", "OFFLINE"), ("OFFLINE", "ACTIVE")] * (ROUNDS // 2)
        assert changes == expected
    assert flips == 10_000


def count(engine: Engine, status: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(COUNT), {"status": status}).scalar_one())


def transitions(engine: Engine) -> dict[int, list[tuple[str, str]]]:
    """Each node's changes of status, in the order in which they were written."""
    found = defaultdict(list)
    statement = "SELECT * FROM node_lifecycle_logs ORDER BY id"
    with engine.connect() as connection:
        for row in connection.execute(text(statement)):
            found[row.node_id].append((row.previous_status, row.new_status))
    return found
