"""The admin API: what tests, demos and people use to play with the world."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from simulator.keys import TENANCY, ApiKey
from tests.oci_world import COMPARTMENT, OciWorld


@pytest.fixture
def admin(tenancy: OciWorld) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=tenancy.url + "/admin", trust_env=False) as client:
        yield client


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_pool_is_created_loaded_resized_and_looked_at(
    admin: httpx.Client, tenancy: OciWorld
) -> None:
    made = ok(admin.post("/pools", json={"name": "web", "size": 2, "launch_seconds": 60}))
    curve = {"kind": "steps", "points": [[0, 120], [600, 40]]}
    ok(admin.post("/demand", json={"pool": "web", "curve": curve}))
    ok(admin.post("/pools/web", json={"action": "resize", "size": 3}))
    (seen,) = ok(admin.get("/state"))["pools"]
    assert (seen["id"], seen["state"], seen["demand"]) == (made["id"], "SCALING", 120)
    ok(admin.post("/clock", json={"advance_seconds": 660}))
    state = ok(admin.get("/state"))
    assert state["now"] == "2026-01-15T12:11:00.000Z"
    (seen,) = state["pools"]
    assert (seen["size"], seen["running"], seen["state"]) == (3, 3, "RUNNING")
    assert seen["demand"] == 40
    assert [moment["size"] for moment in seen["history"]] == [2, 3, 3]
    assert len(seen["instances"]) == 3


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"action": "stop"}, "STOPPED"),
        ({"action": "start"}, "STARTING"),
        ({"action": "terminate"}, "TERMINATING"),
        ({"action": "lose"}, "SCALING"),
    ],
)
def test_an_operator_can_do_things_to_a_pool(
    admin: httpx.Client, tenancy: OciWorld, change: dict[str, str], state: str
) -> None:
    tenancy.add_pool(size=2)
    assert ok(admin.post("/pools/web", json=change))["state"] == state


def test_faults_are_replaced_by_put_and_merged_by_patch(
    admin: httpx.Client, tenancy: OciWorld
) -> None:
    ok(admin.put("/faults", json={"list_lag_seconds": 5}))
    ok(admin.patch("/faults", json={"while_scaling": "accept"}))
    assert tenancy.world.faults.list_lag_seconds == 5
    assert ok(admin.get("/faults"))["while_scaling"] == "accept"
    ok(admin.put("/faults", json={}))
    assert tenancy.world.faults.list_lag_seconds == 0


def test_a_whole_scenario_can_be_played(
    admin: httpx.Client, tenancy: OciWorld, key: ApiKey
) -> None:
    scenario = {
        "pools": [{"name": "web", "size": 1}],
        "streams": [
            {
                "namespace": "my_app",
                "name": "Depth",
                "dimensions": {"queue": "a"},
                "curve": {"kind": "sine", "mean": 10, "amplitude": 0},
            }
        ],
        "autoscaling": [{"pool": "web"}],
        "compartments": ["ocid1.compartment.oc1..empty"],
        "keys": [{"tenancy": TENANCY, "user": "u", "public_key": key.public_key.read_text()}],
        "faults": {"ingestion_lag_seconds": 1},
    }
    ok(admin.post("/scenario", json=scenario))
    ok(admin.post("/clock", json={"advance_seconds": 180}))
    (series,) = tenancy.summarize("Depth[1m].max()", namespace="my_app")
    assert {p.value for p in series.aggregated_datapoints} == {10}
    assert tenancy.compute.list_instance_pools("ocid1.compartment.oc1..empty").data == []
    assert len(tenancy.autoscaling.list_auto_scaling_configurations(COMPARTMENT).data) == 1


def test_the_journal_is_read_and_reset(admin: httpx.Client, tenancy: OciWorld) -> None:
    pool = tenancy.add_pool()
    tenancy.resize(pool, 2)
    found = ok(admin.get("/requests"))
    assert found["counts"] == {"UpdateInstancePool": 1}
    (entry,) = found["requests"]
    assert (entry["status"], entry["detail"]) == (200, '{"size": 2}')
    assert entry["at"] == "2026-01-15T12:00:00.000Z"
    ok(admin.delete("/requests"))
    assert ok(admin.get("/requests")) == {"counts": {}, "requests": []}


BAD: dict[str, tuple[str, str, Any, int, str]] = {
    "an unknown field": ("POST", "/pools", {"name": "x", "sise": 2}, 400, "sise: Extra inputs"),
    "a taken name": ("POST", "/pools", {"name": "web"}, 400, "exists already"),
    "an unknown pool": (
        "POST",
        "/demand",
        {"pool": "x", "curve": {"kind": "constant", "value": 1}},
        404,
        "not found",
    ),
    "a curve nobody knows": ("POST", "/demand", {"pool": "web", "curve": {"kind": "x"}}, 400, "x"),
    "a resize to nothing": ("POST", "/pools/web", {"action": "resize"}, 400, "size"),
    "an instance elsewhere": (
        "POST",
        "/pools/web",
        {"action": "lose", "instance_id": "x"},
        400,
        "no such instance",
    ),
    "time going back": ("POST", "/clock", {"advance_seconds": -1}, 400, "advance_seconds"),
    "a scale for a stepped clock": ("POST", "/clock", {"scale": 2}, 400, "steps"),
    "a fault that is not one": ("PUT", "/faults", {"while_scaling": "maybe"}, 400, "while_scaling"),
    "no JSON": ("PUT", "/faults", "{", 400, "Invalid JSON"),
    "no key": (
        "POST",
        "/keys",
        {"tenancy": "t", "user": "u", "public_key": "x"},
        400,
        "",
    ),
}


@pytest.mark.parametrize(("method", "path", "body", "status", "part"), BAD.values(), ids=BAD.keys())
def test_a_mistake_is_answered_with_a_sentence(
    admin: httpx.Client,
    tenancy: OciWorld,
    method: str,
    path: str,
    body: Any,
    status: int,
    part: str,
) -> None:
    tenancy.add_pool()
    content = {"content": body} if isinstance(body, str) else {"json": body}
    answer = admin.request(method, path, **content)
    assert answer.status_code == status
    assert part in answer.json()["message"]
