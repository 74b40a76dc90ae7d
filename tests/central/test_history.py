"""Reading back over HTTP what was stored."""

from datetime import timedelta
from typing import Any

import httpx
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


def test_analytics_continue_after_a_row_even_of_the_same_instant(store: RunningCentral) -> None:
    store.execute("UPDATE pool_analytics SET timestamp = '2026-03-02 12:01:00'")
    every = rows(store, "web", 0, 9)
    last, seen = every[1], [every[0]["id"], every[1]["id"]]
    query = {"from": last["timestamp"], "to": "2026-03-02T13:00:00Z", "after": last["id"]}
    path = "/v1/pools/web/analytics"
    rest = store.operator("USER").get(path, params=query).json()
    assert seen + [row["id"] for row in rest] == [row["id"] for row in every]


def test_pools_continue_after_a_pool(store: RunningCentral) -> None:
    reader = store.operator("USER")
    for name in ("n0", "n2"):
        store.create_node(name)
        store.push(name, CONFIG.replace(WEB, WEB + name))
    every = reader.get("/v1/pools").json()
    assert [pool["node"] for pool in every] == ["n0", "n1", "n2"]
    first = reader.get("/v1/pools", params={"limit": 1}).json()
    rest = reader.get("/v1/pools", params={"after": first[0]["id"], "limit": 5}).json()
    assert first + rest == every
    assert reader.get("/v1/pools", params={"after": every[-1]["id"]}).json() == []


LISTS = {
    "/v1/nodes": ("id,name,region", "n1"),
    "/v1/pools": ("id,node,name", "n1"),
    "/v1/pools/web/analytics?from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z": ("id,time", WEB),
    "/v1/lifecycle": ("id,node,event_type", "ACTIVATED"),
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_there_as_csv(store: RunningCentral, path: str) -> None:
    head, word = LISTS[path]
    answer = store.operator("USER").get(path, params={**httpx.URL(path).params, "format": "csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    first, *lines = answer.text.splitlines()
    assert first.startswith(head)
    assert word in lines[0]
