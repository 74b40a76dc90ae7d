"""Configurations over HTTP: every push a version, one active, rows projected from the YAML."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text

from shared.config.hashing import config_hash
from tests.central_server import YAML, RunningCentral, eventually
from tests.heartbeats import CONFIG, WEB, analytics, beat

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


# what a push may do to running instances --------------------------------------------------------


def report_size(store: RunningCentral, size: int) -> None:
    with store.client(store.create_node("n2")) as agent:
        store.push("n2", CONFIG)
        agent.post("/v1/heartbeat", json=beat(1, analytics(1, current_instances=size)))


SHRINKS = [
    ("max: 20", "max: 12", 0, 200),  # exactly the size: nothing is lost
    ("max: 20", "max: 11", 0, 409),
    ("max: 20", "max: 3", 8, 409),
    ("max: 20", "max: 3", 9, 200),
]


@pytest.mark.parametrize(("old", "new", "allowed", "status"), SHRINKS)
def test_a_push_shows_its_blast_radius(
    store: RunningCentral, old: str, new: str, allowed: int, status: int
) -> None:
    report_size(store, 12)
    answer = put(store, CONFIG.replace(old, new), "n2", allow_shrink=allowed)
    assert answer.status_code == status
    if new == "max: 3" and status == 409:
        assert answer.json()["error"] == (
            "This configuration terminates 9 of 12 instances in web now: add --allow-shrink 9 if "
            "that is meant."
        )


EVERY_DAY = "schedules:\n  - {name: s, start: '00:00', end: '24:00', target_instances: 4, mode: "
LEASE = (
    "overrides:\n  - {pool: web, target_instances: 4, until: 2199-01-01T00:00:00Z, reason: test}\n"
)
CEILINGS = {
    "a schedule's ceiling": (EVERY_DAY + "at_most}\n", True),
    "an exact schedule": (EVERY_DAY + "exactly}\n", True),
    "a schedule's floor": (EVERY_DAY + "at_least}\n", False),
    "a schedule that is over": (EVERY_DAY + "at_most, until: 2026-01-01}\n", False),
    "an override": (LEASE, True),
    "an override that is over": (LEASE.replace("2199", "2025"), False),
}


@pytest.mark.parametrize(("addition", "terminates"), CEILINGS.values(), ids=CEILINGS.keys())
def test_the_blast_radius_is_that_of_the_bounds_in_force(
    store: RunningCentral, addition: str, terminates: bool
) -> None:
    report_size(store, 12)
    answer = put(store, CONFIG + addition, "n2")
    assert (answer.status_code, "terminates 8 of 12" in answer.text) == (
        (409, True) if terminates else (200, False)
    )


@pytest.mark.parametrize("mode", ["observe", "paused"])
def test_a_pool_that_is_not_resized_loses_nothing(store: RunningCentral, mode: str) -> None:
    report_size(store, 12)
    calm = CONFIG.replace("max: 20", "max: 3") + f"    mode: {mode}\n"
    assert put(store, calm, "n2").status_code == 200


# whose a pool is -------------------------------------------------------------------------------


def test_a_pool_of_another_node_is_refused(store: RunningCentral) -> None:
    store.push("n1", CONFIG)
    store.create_node("n2")
    answer = put(store, CONFIG, "n2")
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
    assert put(store, CONFIG, "n2", take_over=True).status_code == answered


def test_a_pool_is_taken_from_a_node_that_said_goodbye(store: RunningCentral) -> None:
    with store.client(store.create_node("owner")) as owner:
        pushed = store.push("owner", CONFIG)
        running = {"running_hash": pushed.config_hash}
        owner.post("/v1/heartbeat", json=beat(1, config=running))
        assert put(store, CONFIG, take_over=True).status_code == 409
        owner.post("/v1/heartbeat", json=beat(2, config=running, goodbye=True))
        assert put(store, CONFIG).status_code == 409
        assert put(store, CONFIG, take_over=True).status_code == 200
        again = owner.post("/v1/heartbeat", json=beat(3, config=running)).json()
        assert again["observe_pools"] == [WEB], "a node that starts again must not resize it"


def test_a_node_that_was_never_heard_releases_what_its_yaml_no_longer_names(
    store: RunningCentral,
) -> None:
    store.push("n1", CONFIG)
    store.create_node("n2")
    assert put(store, CONFIG, "n2").status_code == 409
    store.push("n1", "version: 1\npools: []\n")
    assert put(store, CONFIG, "n2").status_code == 200


def test_a_pool_may_be_claimed_once_its_owner_runs_without_it(store: RunningCentral) -> None:
    with store.client(store.create_node("owner")) as owner:
        pushed = store.push("owner", CONFIG)
        owner.post("/v1/heartbeat", json=beat(1, config={"running_hash": pushed.config_hash}))
        without = store.push("owner", "version: 1\npools: []\n")
        assert put(store, CONFIG).status_code == 409
        owner.post("/v1/heartbeat", json=beat(2, config={"running_hash": without.config_hash}))
    assert put(store, CONFIG).status_code == 200
    (row,) = store.rows("SELECT n.name, p.retired_at FROM pools p JOIN nodes n ON n.id = node_id")
    assert row == {"name": "n1", "retired_at": None}


def test_a_pool_is_taken_from_an_offline_node_and_its_owner_hears_it(
    store: RunningCentral,
) -> None:
    with store.client(store.create_node("owner")) as owner:
        store.push("owner", CONFIG)
        store.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'owner'")
        assert put(store, CONFIG).status_code == 409
        assert put(store, CONFIG, take_over=True).status_code == 200
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
            answer = thread.submit(put, store, CONFIG, "n2", take_over=True)
            eventually(lambda: store.rows(waits))
            ingest.execute(text("UPDATE pools SET current_instances = 5"))
        assert answer.result(10).status_code == 200


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


@pytest.mark.parametrize(
    ("capabilities", "status"), [(["config.v1"], 409), (["config.v1", "config.headroom"], 200)]
)
def test_a_key_is_not_pushed_to_an_agent_that_is_too_old_for_it(
    store: RunningCentral, capabilities: list[str], status: int
) -> None:
    policy = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60, headroom: 1}"
    newer = f"{CONFIG}    policies: [{policy}]\n"
    with store.client(store.create_node("n2")) as agent:
        able = {"capabilities": capabilities, "agent_version": "0.9.0"}
        assert agent.post("/v1/heartbeat", json=beat(1, **able)).status_code == 200
    assert put(store, CONFIG, "n2").status_code == 200
    answer = put(store, newer, "n2")
    assert answer.status_code == status, answer.text
    if status == 409:
        refusal = answer.json()
        assert refusal["code"] == "too_old"
        assert refusal["error"] == (
            "The agent of n2 (0.9.0) does not know pools[0].policies[0].headroom: "
            "upgrade it first, or leave that out."
        )
        assert refusal["details"] == [{"path": "pools[0].policies[0].headroom"}]
        assert store.operator().get("/v1/nodes/n2").json()["active_hash"] == config_hash(CONFIG)
