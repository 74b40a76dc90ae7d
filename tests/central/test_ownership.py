"""Whose a pool is: refused to others, released, claimed, taken over."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.central_server import RunningCentral, eventually
from tests.heartbeats import CONFIG, WEB, analytics, beat


@pytest.fixture
def store(central: RunningCentral) -> RunningCentral:
    central.create_node("n1")
    return central


def test_a_pool_of_another_node_is_refused(store: RunningCentral) -> None:
    store.push("n1", CONFIG)
    store.create_node("n2")
    answer = store.try_push("n2", CONFIG)
    assert (answer.status_code, answer.json()["code"]) == (409, "pool_owned")
    assert "belongs to node n1" in answer.json()["error"]


OWNER_LOCKED = (
    "SELECT 1 FROM node_state s JOIN nodes n ON n.id = s.node_id WHERE n.name = 'n1' "
    "FOR UPDATE OF s"
)
OWNERS = [("ACTIVE", 409), ("ERROR", 409), ("OFFLINE", 200), ("INACTIVE", 200)]


@pytest.mark.parametrize(("status", "answered"), OWNERS)
def test_a_pool_is_only_taken_from_a_silent_node(
    store: RunningCentral, status: str, answered: int
) -> None:
    store.push("n1", CONFIG)
    store.execute(f"UPDATE nodes SET status = '{status}' WHERE name = 'n1'")
    store.create_node("n2")
    assert store.try_push("n2", CONFIG, take_over=True).status_code == answered


def test_a_pool_is_taken_from_a_node_that_said_goodbye(store: RunningCentral) -> None:
    with store.client(store.create_node("owner")) as owner:
        pushed = store.push("owner", CONFIG)
        running = {"running_hash": pushed.config_hash}
        owner.post("/v1/heartbeat", json=beat(1, config=running))
        assert store.try_push("n1", CONFIG, take_over=True).status_code == 409
        owner.post("/v1/heartbeat", json=beat(2, config=running, goodbye=True))
        assert store.try_push("n1", CONFIG).status_code == 409
        assert store.try_push("n1", CONFIG, take_over=True).status_code == 200
        again = owner.post("/v1/heartbeat", json=beat(3, config=running)).json()
        assert again["observe_pools"] == [WEB], "a node that starts again must not resize it"


def test_a_node_that_was_never_heard_releases_what_its_yaml_no_longer_names(
    store: RunningCentral,
) -> None:
    store.push("n1", CONFIG)
    store.create_node("n2")
    assert store.try_push("n2", CONFIG).status_code == 409
    store.push("n1", "version: 1\npools: []\n")
    assert store.try_push("n2", CONFIG).status_code == 200


def test_a_pool_may_be_claimed_once_its_owner_runs_without_it(store: RunningCentral) -> None:
    with store.client(store.create_node("owner")) as owner:
        pushed = store.push("owner", CONFIG)
        owner.post("/v1/heartbeat", json=beat(1, config={"running_hash": pushed.config_hash}))
        without = store.push("owner", "version: 1\npools: []\n")
        assert store.try_push("n1", CONFIG).status_code == 409
        owner.post("/v1/heartbeat", json=beat(2, config={"running_hash": without.config_hash}))
    assert store.try_push("n1", CONFIG).status_code == 200
    (row,) = store.rows("SELECT n.name, p.retired_at FROM pools p JOIN nodes n ON n.id = node_id")
    assert row == {"name": "n1", "retired_at": None}


def test_a_pool_is_taken_from_an_offline_node_and_its_owner_hears_it(
    store: RunningCentral,
) -> None:
    with store.client(store.create_node("owner")) as owner:
        store.push("owner", CONFIG)
        store.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'owner'")
        assert store.try_push("n1", CONFIG).status_code == 409
        assert store.try_push("n1", CONFIG, take_over=True).status_code == 200
        later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
        answer = owner.post("/v1/heartbeat", json=beat(1, analytics(1, timestamp=later))).json()
        assert answer["observe_pools"] == [WEB]
        assert [r["code"] for r in answer["rejected"]] == ["unknown_pool"]
        store.push("owner", "version: 1\npools: []\n")
        assert owner.post("/v1/heartbeat", json=beat(2)).json()["observe_pools"] == []
    (row,) = store.rows("SELECT details FROM audit_logs WHERE action = 'POOL_TAKEN_OVER'")
    assert WEB in row["details"]


def test_a_take_over_waits_for_a_heartbeat_before_it_locks_a_pool(store: RunningCentral) -> None:
    store.push("n1", CONFIG)
    store.create_node("n2")
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as thread:
        with store.whole.engine.begin() as ingest:
            ingest.execute(text("SET LOCAL lock_timeout = '3s'"))
            ingest.execute(text(OWNER_LOCKED))
            answer = thread.submit(store.try_push, "n2", CONFIG, take_over=True)
            eventually(lambda: store.rows(waits))
            ingest.execute(text("UPDATE pools SET current_instances = 5"))
        assert answer.result(10).status_code == 200
