"""Keys that overlap, silence that is expected, nodes that go with all they had."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from central.history.rollup import roll_up
from central.store import node_end
from central.store.sweep import sweep
from central.tokens import digest
from tests.central_server import RunningCentral, eventually, running_central
from tests.heartbeats import CONFIG, analytics, beat, metric


def status(central: RunningCentral, key: str, sequence: int = 1) -> int:
    with central.client(key) as agent:
        return agent.post("/v1/heartbeat", json=beat(sequence)).status_code


def rotate(central: RunningCentral, **query: int) -> str:
    answer = central.operator("DEVOPS").post("/v1/nodes/n1/keys", params=query)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["api_key"])


# keys ------------------------------------------------------------------------------------------


def test_both_keys_work_while_they_overlap(central: RunningCentral) -> None:
    old = central.create_node("n1")
    new = rotate(central, overlap_seconds=3600)
    assert [status(central, key, n) for n, key in enumerate((old, new), 1)] == [200, 200]
    (row,) = central.rows("SELECT api_key_hash FROM nodes")
    assert row["api_key_hash"] == digest(new)
    newest, before = central.operator("USER").get("/v1/nodes/n1/keys").json()
    assert (newest["expires_at"], newest["revoked_at"], before["revoked_at"]) == (None,) * 3
    (left,) = central.rows(
        "SELECT EXTRACT(EPOCH FROM expires_at - now()::timestamp) AS s FROM node_keys "
        "WHERE expires_at IS NOT NULL"
    )
    assert 3500 < left["s"] <= 3600
    assert new not in str(central.rows("SELECT * FROM audit_logs"))


def test_without_an_overlap_the_old_key_ends_at_once(central: RunningCentral) -> None:
    old = central.create_node("n1")
    assert status(central, old) == 200
    new = rotate(central, overlap_seconds=0)
    eventually(lambda: status(central, old, 2) == 401, within=1)
    assert status(central, new, 3) == 200


def test_never_more_than_two_keys_work(central: RunningCentral) -> None:
    keys = [central.create_node("n1"), *(rotate(central) for _ in range(2))]
    eventually(lambda: status(central, keys[0]) == 401, within=1)
    assert [status(central, key, n) for n, key in enumerate(keys[1:], 1)] == [200, 200]


def test_a_second_rotation_does_not_prolong_the_first_overlap(central: RunningCentral) -> None:
    central.create_node("n1")
    rotate(central, overlap_seconds=60)
    central.execute("UPDATE node_keys SET expires_at = now() + interval '5 s' WHERE id = 2")
    rotate(central, overlap_seconds=3600)
    (left,) = central.rows(
        "SELECT expires_at < now() + interval '6 s' AS soon FROM node_keys WHERE id = 2"
    )
    assert left["soon"]


@pytest.fixture
def replica(central: RunningCentral, database_url: str) -> Iterator[RunningCentral]:
    with running_central(database_url) as second:
        yield second


def test_a_revocation_acts_on_every_replica(
    central: RunningCentral, replica: RunningCentral
) -> None:
    old = central.create_node("n1")
    new = rotate(central)
    assert [status(replica, key, n) for n, key in enumerate((old, new), 1)] == [200, 200]
    operator = central.operator()
    assert operator.delete("/v1/nodes/n1/keys?which=previous").json() == {"revoked": 1}
    eventually(lambda: status(replica, old, 3) == 401, within=1)
    assert status(replica, new, 4) == 200
    assert operator.delete("/v1/nodes/n1/keys?which=all").json() == {"revoked": 1}
    eventually(lambda: status(replica, new, 5) == 401, within=1)
    recovered = rotate(central)
    assert status(replica, recovered, 6) == 200


# maintenance -----------------------------------------------------------------------------------


def silent(central: RunningCentral) -> str:
    central.execute("UPDATE central_state SET alive_at = now(), outage_seconds = 0")
    central.execute("UPDATE node_state SET deadline_at = now() - interval '1 s'")
    with central.whole.engine.begin() as connection:
        sweep(connection)
    return str(central.operator().get("/v1/nodes/n1").json()["status"])


def test_expected_silence_is_not_called_offline(central: RunningCentral) -> None:
    status(central, central.create_node("n1"))
    operator = central.operator()
    assert operator.put("/v1/nodes/n1/maintenance?reason=disk").json()["maintenance"] is True
    assert silent(central) == "ACTIVE"
    assert operator.delete("/v1/nodes/n1/maintenance").json()["maintenance"] is False
    (late,) = central.rows("SELECT deadline_at > now() + interval '90 s' AS later FROM node_state")
    assert late["later"]
    eventually(lambda: silent(central) == "OFFLINE")
    events = central.rows("SELECT event_type, reason FROM node_lifecycle_logs ORDER BY id")
    assert [row["event_type"] for row in events] == [
        *("ACTIVATED", "MAINTENANCE_BEGAN", "MAINTENANCE_ENDED", "WENT_OFFLINE")
    ]
    assert events[1]["reason"] == "disk"


def test_maintenance_that_goes_on_already_is_not_begun_again(central: RunningCentral) -> None:
    central.create_node("n1")
    for _ in range(2):
        assert central.operator().put("/v1/nodes/n1/maintenance").status_code == 200
    assert central.rows("SELECT count(*) AS n FROM node_lifecycle_logs") == [{"n": 1}]


# deletion --------------------------------------------------------------------------------------


def test_a_node_goes_with_all_it_had_and_others_stay(
    central: RunningCentral, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_end, "BATCH", 2)  # so that a few rows are several batches
    keys = {name: central.create_node(name) for name in ("n1", "n2")}
    at = datetime.now(UTC).isoformat()
    for name, key in keys.items():
        central.push(name, CONFIG.replace(".web", f".web-{name}"))
        pool = {"oracle_pool_id": f"ocid1.instancepool.oc1.eu-frankfurt-1.web-{name}"}
        records = [analytics(n, timestamp=at, scaling_event="scale_out", **pool) for n in (1, 2, 3)]
        records += [metric(n, timestamp=at) for n in range(6, 11)]
        with central.client(key) as agent:
            assert agent.post("/v1/heartbeat", json=beat(1, *records)).status_code == 200
    eventually(lambda: roll_up(central.whole.engine))
    answer = central.operator("DEVOPS").delete("/v1/nodes/n1?confirm=n1")
    assert (answer.status_code, answer.json()) == (200, {"deleted": "n1"})
    assert status(central, keys["n1"], 2) == 401
    assert status(central, keys["n2"], 2) == 200
    for table in ("metrics", "pool_analytics", "node_heartbeats", "pools", "scaling_events"):
        (left,) = central.rows(f"SELECT array_agg(DISTINCT node_id) AS nodes FROM {table}")
        assert left["nodes"] == [2]
    assert [n["name"] for n in central.operator().get("/v1/nodes").json()] == ["n2"]


@pytest.mark.parametrize("typed", ["", "N1", "n2"])
def test_a_deletion_wants_the_name_again(central: RunningCentral, typed: str) -> None:
    key = central.create_node("n1")
    answer = central.operator().delete("/v1/nodes/n1", params={"confirm": typed})
    assert (answer.status_code, answer.json()["code"]) == (422, "unconfirmed")
    assert status(central, key) == 200
    (row,) = central.rows("SELECT action, status FROM audit_logs WHERE status = 'FAILURE'")
    assert row["action"] == "NODE_DELETED"
