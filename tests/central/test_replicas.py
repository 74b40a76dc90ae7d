"""Two centrals on one database: whichever is asked, the answer is the same."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.central_server import RunningCentral, eventually, running_central
from tests.heartbeats import CONFIG, analytics, beat, metric

pytestmark = pytest.mark.slow


@pytest.fixture
def replicas(database_url: str) -> Iterator[tuple[RunningCentral, RunningCentral]]:
    with running_central(database_url) as one, running_central(database_url) as two:
        yield one, two


def status(central: RunningCentral, key: str, sequence: int) -> int:
    with central.client(key) as agent:
        return agent.post("/v1/heartbeat", json=beat(sequence)).status_code


def test_a_revocation_is_heard_by_both_within_a_second(
    replicas: tuple[RunningCentral, RunningCentral],
) -> None:
    one, two = replicas
    key = one.create_node("n1")
    assert [status(central, key, n) for n, central in enumerate(replicas, 1)] == [200, 200]
    one.execute("UPDATE node_keys SET revoked_at = now()")
    eventually(lambda: status(two, key, 3) == 401, within=1)
    eventually(lambda: status(one, key, 4) == 401, within=1)


def test_a_replica_that_hears_nothing_asks_every_time(
    replicas: tuple[RunningCentral, RunningCentral],
) -> None:
    one, two = replicas
    key = one.create_node("n1")
    assert status(two, key, 1) == 200
    deafen = (
        "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE query LIKE :q"
    )
    assert one.rows(deafen, q="LISTEN %")[0]["n"] == 2
    one.execute("UPDATE node_keys SET revoked_at = now()")
    eventually(lambda: status(two, key, 2) == 401, within=2)


def test_a_push_to_one_is_answered_by_the_other(
    replicas: tuple[RunningCentral, RunningCentral],
) -> None:
    one, two = replicas
    with two.client(one.create_node("n1")) as agent:
        for generation, text in enumerate((CONFIG, CONFIG + "#\n", CONFIG), 1):
            one.push("n1", text)
            answer = agent.post("/v1/heartbeat", json=beat(generation)).json()
            assert (answer["generation"], answer["yaml_config"]) == (generation, text)


def test_the_same_heartbeat_to_both_at_once_is_stored_once(
    replicas: tuple[RunningCentral, RunningCentral],
) -> None:
    one, _ = replicas
    key = one.create_node("n1")
    one.push("n1", CONFIG)

    def _send(central: RunningCentral, sequence: int) -> int:
        body = beat(sequence, metric(2 * sequence - 1), analytics(2 * sequence))
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{central.url}/v1/heartbeat", json=body, headers=headers, timeout=20)
        assert answer.status_code == 200
        return int(answer.json()["ack"]["sequence"])

    with ThreadPoolExecutor(2) as pool:
        for sequence in range(1, 11):
            acks = pool.map(lambda c, s=sequence: _send(c, s), replicas)
            assert list(acks) == [2 * sequence] * 2
    tables = ("metrics", "pool_analytics", "node_heartbeats")
    counts = [one.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables]
    assert counts == [10, 10, 10]
