"""What requests may not do: be too large, too slow, or malformed; and what an answer carries."""

import json
import re
import socket
from typing import Any

import pytest

from tests.central_server import YAML, RunningCentral, eventually
from tests.heartbeats import CONFIG, beat, metric

MIB = 1024 * 1024


def test_a_heartbeat_may_be_a_mebibyte_and_no_more(central: RunningCentral) -> None:
    with central.client(central.create_node("n1")) as agent:
        empty = len(json.dumps(beat(1, filler="")).encode())
        body = json.dumps(beat(1, filler="x" * (MIB - empty)))
        assert len(body) == MIB
        assert agent.post("/v1/heartbeat", content=body).status_code == 200
        answer = agent.post("/v1/heartbeat", content=body + " ")
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_without_a_length_is_counted(central: RunningCentral) -> None:
    with central.client(central.create_node("n1")) as agent:
        chunks = (b" " * 65536 for _ in range(17))
        assert agent.post("/v1/heartbeat", content=chunks).status_code == 413


def test_a_configuration_has_its_own_limit(central: RunningCentral) -> None:
    central.create_node("n1")
    body = CONFIG.encode() + b"#" * (2 * MIB)
    answer = central.operator().put("/v1/nodes/n1/config", content=body, headers=YAML)
    assert answer.status_code == 413


def test_strangers_are_refused_before_their_body_is_read(central: RunningCentral) -> None:
    host, port = central.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = "POST /v1/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 401 " in connection.recv(4096)


MALFORMED: dict[str, bytes] = {
    "not JSON": b"{",
    "a list": b"[]",
    "no stream": json.dumps({**beat(), "stream_id": None}).encode(),
    "a sequence of zero": json.dumps(beat(0)).encode(),
    "too many records": json.dumps(beat(1, *[metric(n) for n in range(501)])).encode(),
    "NaN among the node's metrics": json.dumps(beat(1, node_metrics={"a": float("nan")})).encode(),
    "no zone": json.dumps(beat(1, sent_at="2026-03-02T12:00:00")).encode(),
    "nested without end": b'{"records": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_heartbeats_are_refused_and_harm_nobody(
    central: RunningCentral, body: bytes
) -> None:
    with central.client(central.create_node("n1")) as agent:
        answer = agent.post("/v1/heartbeat", content=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert agent.post("/v1/heartbeat", json=beat(1)).status_code == 200


def test_unknown_fields_of_a_newer_agent_are_ignored(central: RunningCentral) -> None:
    with central.client(central.create_node("n1")) as agent:
        newer: dict[str, Any] = beat(1, metric(1, novelty=True), protocol=2, novelty={"a": [1]})
        assert agent.post("/v1/heartbeat", json=newer).json()["ack"]["sequence"] == 1


ODD = ["/v1/nodes/%00", "/v1/nodes/a%00b/config", "/v1/pools?node=%00", "/v1/lifecycle?node=%00"]


@pytest.mark.parametrize("path", ODD)
def test_text_that_cannot_be_stored_is_the_callers_fault(
    central: RunningCentral, path: str
) -> None:
    answer = central.operator().get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_a_refusal_never_repeats_a_password(central: RunningCentral) -> None:
    with central.client() as client:
        answer = client.post("/v1/login", json={"email": "a", "password": "s3cret" * 300})
    assert answer.status_code == 422
    assert "s3cret" not in answer.text


def test_every_answer_has_a_request_id(central: RunningCentral) -> None:
    with central.client() as client:
        given = client.get("/healthz", headers={"X-Request-Id": "abc-12345"})
        assert given.headers["X-Request-Id"] == "abc-12345"
        odd = client.get("/healthz", headers={"X-Request-Id": "no spaces, please"})
        assert len(odd.headers["X-Request-Id"]) == 16


def test_the_unknown_is_refused_as_a_problem(central: RunningCentral) -> None:
    with central.client() as client:
        assert client.get("/v1/nothing").json()["code"] == "not_found"
        assert client.delete("/healthz").json()["code"] == "method"


def test_health_and_readiness_need_no_login(central: RunningCentral) -> None:
    with central.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready"}


@pytest.mark.slow
def test_central_gets_ready_again_though_no_heartbeat_comes(central: RunningCentral) -> None:
    with central.client(central.create_node("n1")) as agent:
        central.execute("ALTER TABLE stream_cursors RENAME TO away")
        assert agent.post("/v1/heartbeat", json=beat(1)).status_code == 503
        assert agent.get("/readyz").status_code == 503
        central.execute("ALTER TABLE away RENAME TO stream_cursors")
        eventually(lambda: agent.get("/readyz").status_code == 200, within=30)


def test_the_openapi_document_names_every_route(central: RunningCentral) -> None:
    with central.client() as client:
        document = client.get("/openapi.json").json()
    paths = document["paths"]
    assert {"/v1/heartbeat", "/v1/login", "/v1/nodes/{name}/config"} <= paths.keys()
    body = paths["/v1/heartbeat"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["config"]["properties"]["failed_hash"]
    known = document["components"]["schemas"].keys()
    named = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named <= known
    assert "$defs" not in json.dumps(document)
