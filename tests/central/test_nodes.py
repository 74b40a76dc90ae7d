"""Nodes over HTTP: made once, listed by name, shown with what they report."""

from typing import Any

import pytest

from central.tokens import digest
from tests.central_server import RunningCentral
from tests.heartbeats import CONFIG, beat


def test_the_key_is_shown_once_and_stored_as_a_hash(central: RunningCentral) -> None:
    key = central.create_node("n1", "uk-london-1")
    (row,) = central.rows("SELECT name, region, status, api_key_hash FROM nodes")
    assert row == {
        "name": "n1",
        "region": "uk-london-1",
        "status": "INACTIVE",
        "api_key_hash": digest(key),
    }
    stored = central.rows("SELECT * FROM audit_logs") + central.rows("SELECT * FROM node_keys")
    assert key not in str(stored)


def test_making_a_node_is_audited(central: RunningCentral) -> None:
    central.create_node("n1")
    (row,) = central.rows("SELECT * FROM audit_logs")
    assert (row["action"], row["category"], row["resource_name"]) == ("NODE_CREATED", "NODE", "n1")
    assert (row["user_email"], row["user_role"]) == ("admin@example.com", "ADMIN")
    assert (row["status"], row["ip_address"]) == ("SUCCESS", "127.0.0.1")
    assert row["request_id"]


def test_a_name_is_taken_once(central: RunningCentral) -> None:
    central.create_node("n1")
    answer = central.operator().post("/v1/nodes", json={"name": "n1", "region": "r1"})
    assert (answer.status_code, answer.json()["error"]) == (409, "There is already a node 'n1'.")
    (row,) = central.rows("SELECT status, error_message FROM audit_logs WHERE status = 'FAILURE'")
    assert "already a node" in row["error_message"]
    assert central.rows("SELECT count(*) AS n FROM nodes") == [{"n": 1}]


BAD: dict[str, dict[str, Any]] = {
    "no name": {"region": "r1"},
    "an empty name": {"name": "", "region": "r1"},
    "a slash": {"name": "a/b", "region": "r1"},
    "a control character": {"name": "a\n", "region": "r1"},
    "a long name": {"name": "a" * 256, "region": "r1"},
    "no region": {"name": "n1"},
    "a description with NUL": {"name": "n1", "region": "r1", "description": "\0"},
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_bad_nodes_are_refused_in_a_sentence(central: RunningCentral, body: dict[str, Any]) -> None:
    answer = central.operator().post("/v1/nodes", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert central.rows("SELECT count(*) AS n FROM nodes") == [{"n": 0}]


def test_the_list_goes_by_name_and_continues(central: RunningCentral) -> None:
    for name in ("b", "c", "a"):
        central.create_node(name)
    operator = central.operator()
    assert [n["name"] for n in operator.get("/v1/nodes?limit=2").json()] == ["a", "b"]
    assert [n["name"] for n in operator.get("/v1/nodes?limit=2&after=b").json()] == ["c"]


def test_a_node_shows_what_it_has_and_what_it_runs(central: RunningCentral) -> None:
    key = central.create_node("n1")
    pushed = central.push("n1", CONFIG)
    report = {"failed_hash": pushed.config_hash, "status": "failed", "error": "not today"}
    with central.client(key) as agent:
        agent.post("/v1/heartbeat", json=beat(1, config=report))
    node = central.operator().get("/v1/nodes/n1").json()
    assert (node["status"], node["pools"], node["active_generation"]) == ("ACTIVE", 1, 1)
    assert node["active_hash"] == node["failed_hash"] == pushed.config_hash
    assert (node["apply_status"], node["apply_error"]) == ("failed", "not today")
    assert node["last_heartbeat"].endswith("Z")


def test_an_unknown_node_is_not_found(central: RunningCentral) -> None:
    answer = central.operator().get("/v1/nodes/nobody")
    assert (answer.status_code, answer.json()["error"]) == (404, "There is no node 'nobody'.")
