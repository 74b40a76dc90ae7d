"""Reading back over HTTP what was stored."""

from datetime import timedelta
from typing import Any

import pytest

from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, NOON, WEB, analytics, beat


@pytest.fixture
def store(central: RunningCentral) -> RunningCentral:
    with central.client(central.create_node("n1")) as agent:
        central.push("n1", CONFIG)
        records = [
            analytics(n, timestamp=(NOON + timedelta(minutes=n)).isoformat(), current_instances=n)
            for n in range(1, 6)
        ]
        records[2]["avg_cpu_utilization"] = 55.5
        assert agent.post("/v1/heartbeat", json=beat(1, *records)).status_code == 200
    return central


def rows(store: RunningCentral, pool: str, first: int, last: int, **params: Any) -> Any:
    start, end = (NOON + timedelta(minutes=m) for m in (first, last))
    query = {"from": start.isoformat(), "to": end.isoformat(), **params}
    answer = store.operator("USER").get(f"/v1/pools/{pool}/analytics", params=query)
    return answer.json()


def test_a_range_includes_its_start_and_not_its_end(store: RunningCentral) -> None:
    assert [r["current_instances"] for r in rows(store, "web", 2, 4)] == [2, 3]
    assert [r["timestamp"] for r in rows(store, "web", 2, 3)] == ["2026-03-02T12:02:00Z"]


@pytest.mark.parametrize("name", ["web", WEB, "n1%2Fweb"])
def test_a_pool_has_several_names(store: RunningCentral, name: str) -> None:
    assert len(rows(store, name, 0, 9)) == 5


def test_unknown_utilisation_reads_as_null(store: RunningCentral) -> None:
    cpu = [r["avg_cpu_utilization"] for r in rows(store, "web", 0, 9)]
    assert cpu == [None, None, 55.5, None, None]


def test_the_number_of_rows_is_bounded(store: RunningCentral) -> None:
    assert len(rows(store, "web", 0, 9, limit=2)) == 2


def test_an_inverted_range_is_refused(store: RunningCentral) -> None:
    assert rows(store, "web", 4, 2)["error"] == "`to` must be later than `from`."


def test_a_name_of_two_pools_is_ambiguous(store: RunningCentral) -> None:
    store.create_node("n2")
    store.push("n2", CONFIG.replace(WEB, WEB + "2"))
    answer = rows(store, "web", 0, 9)
    assert answer["code"] == "ambiguous"
    assert "n1/web, n2/web" in answer["error"]
    assert len(rows(store, "n1%2Fweb", 0, 9)) == 5


def test_an_unknown_pool_is_not_found(store: RunningCentral) -> None:
    assert rows(store, "nope", 0, 9)["code"] == "not_found"


def test_pools_show_their_newest_size(store: RunningCentral) -> None:
    (pool,) = store.operator("USER").get("/v1/pools?node=n1").json()
    assert (pool["node"], pool["name"], pool["current_instances"]) == ("n1", "web", 5)
    assert pool["last_analytics_at"] == "2026-03-02T12:05:00Z"


def test_lifecycle_pages_backwards(store: RunningCentral) -> None:
    with store.client(store.create_node("n2")) as agent:
        agent.post("/v1/heartbeat", json=beat(1))
        agent.post("/v1/heartbeat", json=beat(2, status="error", error_message="sick"))
    reader = store.operator("USER")
    newest, *older = reader.get("/v1/lifecycle?node=n2").json()
    assert (newest["event_type"], newest["reason"]) == ("AGENT_ERROR", "sick")
    assert newest["extra_data"] == {"agent_version": "1.0.0"}
    assert [r["event_type"] for r in older] == ["ACTIVATED"]
    page = reader.get(f"/v1/lifecycle?before={newest['id']}&limit=1").json()
    assert page == older
