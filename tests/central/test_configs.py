"""Configurations over HTTP: every push a version, one active, rows projected from the YAML."""

from typing import Any

import httpx
import pytest
from sqlalchemy import event

from shared.config.hashing import config_hash
from tests.central_server import YAML, RunningCentral
from tests.heartbeats import CONFIG, WEB

BATCH = WEB.replace("web", "batch")
TWO_POOLS = (
    CONFIG
    + f"""\
  - name: batch
    instance_pool_id: {BATCH}
    compartment_id: ocid1.compartment.oc1..demo
    region: eu-frankfurt-1
    mode: observe
schedules:
  - name: office-hours
    pools: [web]
    days: [mon-fri]
    start: "08:00"
    end: "18:00"
    target_instances: 6
    ready_early: 5m
    except: [2026-12-25]
  - name: nights
    timezone: Europe/Berlin
    start: "22:00"
    end: "24:00"
    target_instances: 2
    mode: at_most
    from: 2026-01-01
    active: false
"""
)


@pytest.fixture
def store(central: RunningCentral) -> RunningCentral:
    central.create_node("n1")
    return central


def put(store: RunningCentral, yaml: str, node: str = "n1", **options: Any) -> httpx.Response:
    headers = {**YAML, **options.pop("headers", {})}
    path = f"/v1/nodes/{node}/config"
    return store.operator().put(path, content=yaml.encode(), headers=headers, params=options)


def test_what_is_pulled_is_what_was_pushed(store: RunningCentral) -> None:
    text = CONFIG + "# ümläut and trailing space  \n\n"
    pushed = store.push("n1", text)
    assert (pushed.config_hash, pushed.generation, pushed.pools) == (config_hash(text), 1, ["web"])
    pulled = store.operator().get("/v1/nodes/n1/config")
    assert pulled.content == text.encode()
    assert pulled.headers["ETag"] == f'"{pushed.config_hash}"'
    assert pulled.headers["Content-Type"].startswith("application/yaml")


def test_pools_and_schedules_become_rows(store: RunningCentral) -> None:
    store.push("n1", TWO_POOLS)
    pools = store.rows(
        "SELECT name, oracle_pool_id, region, min_instances, max_instances, mode FROM pools "
        "ORDER BY name"
    )
    shared = {"region": "eu-frankfurt-1"}
    assert pools == [
        {
            "name": "batch",
            "oracle_pool_id": BATCH,
            "min_instances": 1,
            "max_instances": 10,
            "mode": "observe",
            **shared,
        },
        {
            "name": "web",
            "oracle_pool_id": WEB,
            "min_instances": 2,
            "max_instances": 20,
            "mode": "active",
            **shared,
        },
    ]
    nights, office = store.rows("SELECT * FROM schedules ORDER BY name")
    assert (office["start_time"], office["end_time"], office["target_instances"]) == (
        "08:00",
        "18:00",
        6,
    )
    assert office["days"] == ["mon", "tue", "wed", "thu", "fri"]
    assert (office["pools"], office["timezone"], office["ready_early"]) == (["web"], "UTC", 300)
    assert [str(day) for day in office["exceptions"]] == ["2026-12-25"]
    assert (nights["end_time"], nights["mode"], nights["is_active"]) == ("24:00", "at_most", False)
    assert (nights["timezone"], str(nights["valid_from"])) == ("Europe/Berlin", "2026-01-01")
    assert (nights["pools"], nights["valid_until"]) == (None, None)


def test_a_push_keeps_what_stays_and_retires_what_leaves(store: RunningCentral) -> None:
    store.push("n1", TWO_POOLS)
    before = {row["name"]: row for row in store.rows("SELECT * FROM pools")}
    pushed = store.push("n1", CONFIG.replace("max: 20", "max: 30"))
    assert pushed.retired == ["batch"]
    after = {row["name"]: row for row in store.rows("SELECT * FROM pools")}
    assert after.keys() == before.keys()
    assert after["web"]["created_at"] == before["web"]["created_at"]
    assert (after["web"]["id"], after["web"]["max_instances"]) == (before["web"]["id"], 30)
    assert after["batch"]["retired_at"] is not None
    assert store.rows("SELECT * FROM schedules") == []
    store.push("n1", TWO_POOLS)
    revived = store.rows("SELECT retired_at, created_at FROM pools WHERE name = 'batch'")
    assert revived == [{"retired_at": None, "created_at": before["batch"]["created_at"]}]


def test_schedules_keep_their_birth(store: RunningCentral) -> None:
    store.push("n1", TWO_POOLS)
    born = store.rows("SELECT id, created_at FROM schedules ORDER BY id")
    store.push("n1", TWO_POOLS.replace("target_instances: 6", "target_instances: 7"))
    assert store.rows("SELECT id, created_at FROM schedules ORDER BY id") == born


def test_two_pools_may_swap_their_names(store: RunningCentral) -> None:
    store.push("n1", TWO_POOLS)
    swapped = TWO_POOLS.replace(WEB, "x").replace(BATCH, WEB).replace("x\n", BATCH + "\n")
    store.push("n1", swapped)
    rows = store.rows("SELECT name, oracle_pool_id FROM pools ORDER BY name")
    assert [row["oracle_pool_id"] for row in rows] == [WEB, BATCH]


def test_bad_yaml_is_refused_with_every_place(store: RunningCentral) -> None:
    bad = CONFIG.replace("min: 2, max: 20", "min: 5, max: 3").replace("region:", "regoin:")
    answer = put(store, bad)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_config")
    places = [(d["line"], d["path"]) for d in answer.json()["details"]]
    assert (6, "pools[0].regoin") in places
    assert store.rows("SELECT count(*) AS n FROM node_configurations") == [{"n": 0}]
    (row,) = store.rows(
        "SELECT action, status, error_message FROM audit_logs WHERE category = 'CONFIG'"
    )
    assert (row["action"], row["status"]) == ("CONFIG_PUSHED", "FAILURE")
    assert "line 3, column 5: pools[0].region: is missing" in answer.json()["error"]


NOT_TEXT = {"not UTF-8": b"version: 1\npools: []\n# \xff", "a NUL": b"version: 1\0", "nothing": b""}


@pytest.mark.parametrize("body", NOT_TEXT.values(), ids=NOT_TEXT.keys())
def test_what_is_no_text_is_refused(store: RunningCentral, body: bytes) -> None:
    answer = store.operator().put("/v1/nodes/n1/config", content=body, headers=YAML)
    assert answer.status_code == 422
    assert answer.json()["error"]


# versions --------------------------------------------------------------------------------------


def test_every_push_is_a_version_and_one_is_active(store: RunningCentral) -> None:
    for comment in ("a", "b", "c"):
        store.push("n1", f"{CONFIG}# {comment}\n")
    versions = store.operator().get("/v1/nodes/n1/config/history").json()
    assert [(v["generation"], v["is_active"]) for v in versions] == [
        (3, True),
        (2, False),
        (1, False),
    ]
    assert versions[0]["created_by"] == "admin@example.com"
    older = store.operator().get("/v1/nodes/n1/config/history?before=3&limit=1").json()
    assert [v["generation"] for v in older] == [2]
    old = store.operator().get("/v1/nodes/n1/config?generation=1")
    assert old.text == f"{CONFIG}# a\n"


def test_the_same_text_again_is_no_new_version(store: RunningCentral) -> None:
    store.push("n1", CONFIG)
    again = store.push("n1", CONFIG)
    assert (again.changed, again.generation) == (False, 1)


def test_if_match_protects_from_overwriting(store: RunningCentral) -> None:
    first = store.push("n1", CONFIG)
    seen = {"If-Match": f'"{first.config_hash}"'}
    assert put(store, CONFIG + "# mine\n", headers=seen).status_code == 200
    late = put(store, CONFIG + "# late\n", headers=seen)
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    assert store.operator().get("/v1/nodes/n1/config").text.endswith("# mine\n")


def test_a_diff_shows_what_changed(store: RunningCentral) -> None:
    store.push("n1", CONFIG)
    store.push("n1", CONFIG.replace("max: 20", "max: 30"))
    text = store.operator().get("/v1/nodes/n1/config/diff").text
    assert "-    limits: {min: 2, max: 20}\n+    limits: {min: 2, max: 30}" in text
    assert "n1 generation 1" in text
    reverse = store.operator().get("/v1/nodes/n1/config/diff?old=2&new=1").text
    assert "+    limits: {min: 2, max: 20}" in reverse


def test_a_rollback_is_a_new_version_of_the_old_text(store: RunningCentral) -> None:
    first = store.push("n1", CONFIG)
    store.push("n1", TWO_POOLS)
    answer = store.operator().post("/v1/nodes/n1/config/rollback", params={"generation": 1})
    assert answer.json()["generation"] == 3
    assert answer.json()["config_hash"] == first.config_hash
    assert answer.json()["retired"] == ["batch"]
    (newest, *_) = store.operator().get("/v1/nodes/n1/config/history").json()
    assert (newest["rollback_of"], newest["is_active"]) == (1, True)


MISSING = [
    ("GET", "/v1/nodes/nobody/config"),
    ("GET", "/v1/nodes/n1/config"),
    ("GET", "/v1/nodes/n1/config?generation=9"),
    ("GET", "/v1/nodes/nobody/config/history"),
    ("GET", "/v1/nodes/n1/config/diff"),
    ("POST", "/v1/nodes/n1/config/rollback?generation=9"),
    ("POST", "/v1/nodes/nobody/config/retry"),
]


@pytest.mark.parametrize(("method", "path"), MISSING)
def test_what_is_not_there_is_not_found(store: RunningCentral, method: str, path: str) -> None:
    answer = store.operator().request(method, path)
    assert answer.status_code == 404
    assert answer.json()["error"].endswith(".")


def test_retry_is_for_what_was_refused(store: RunningCentral) -> None:
    store.push("n1", CONFIG)
    answer = store.operator().post("/v1/nodes/n1/config/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_failed")


# all or nothing --------------------------------------------------------------------------------


def test_a_change_whose_audit_fails_does_not_happen(store: RunningCentral) -> None:
    store.push("n1", CONFIG)
    operator = store.operator()

    @event.listens_for(store.whole.engine, "before_cursor_execute")
    def _break(_c: object, _cur: object, statement: str, *_: object) -> None:
        if "INSERT INTO audit_logs" in statement:
            message = "the audit table is full"
            raise RuntimeError(message)

    last = {**YAML, "Connection": "close"}
    answer = operator.put("/v1/nodes/n1/config", content=TWO_POOLS.encode(), headers=last)
    event.remove(store.whole.engine, "before_cursor_execute", _break)
    assert answer.status_code == 500
    assert "full" not in answer.text
    assert operator.get("/v1/nodes/n1/config").text == CONFIG
    assert store.rows("SELECT name FROM pools") == [{"name": "web"}]
