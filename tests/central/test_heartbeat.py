"""POST /v1/heartbeat, end to end: what is sent, what is stored, what is answered."""

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.config.hashing import config_hash
from shared.wire import HeartbeatAnswer
from tests.central_server import RunningCentral, eventually
from tests.heartbeats import CONFIG, NOON, WEB, analytics, beat, lifecycle, metric


@pytest.fixture
def agent(central: RunningCentral) -> Iterator[httpx.Client]:
    with central.client(central.create_node("n1")) as client:
        central.push("n1", CONFIG)
        yield client


def send(agent: httpx.Client, body: dict[str, Any]) -> HeartbeatAnswer:
    response = agent.post("/v1/heartbeat", json=body)
    assert response.status_code == 200, response.text
    return HeartbeatAnswer.model_validate_json(response.content)


def count(central: RunningCentral, table: str) -> int:
    return int(central.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])


def events(central: RunningCentral) -> list[tuple[str, str | None, str]]:
    rows = central.rows("SELECT * FROM node_lifecycle_logs ORDER BY id")
    return [(row["event_type"], row["previous_status"], row["new_status"]) for row in rows]


def test_every_record_becomes_a_row(central: RunningCentral, agent: httpx.Client) -> None:
    decision = {"action": "hold", "reasons": [{"code": "on_target", "text": "≈ 60 %"}]}
    answer = send(
        agent,
        beat(
            1,
            analytics(1, avg_cpu_utilization=61.5, decision=decision, scaling_event="scale_out"),
            metric(2, oracle_pool_id=WEB, metric_type="policy_value:cpu", unit="value"),
            metric(3),
            lifecycle(4, extra_data={"hash": "ab"}),
            node_metrics={"cpu": 3.5, "load": None},
            config={"running_hash": "0" * 64},
        ),
    )
    assert (answer.ack.stream_id, answer.ack.sequence, answer.rejected) == ("stream-1", 4, [])
    (row,) = central.rows("SELECT * FROM pool_analytics")
    assert (row["oracle_pool_id"], row["current_instances"], row["active_instances"]) == (WEB, 3, 2)
    assert (row["avg_cpu_utilization"], row["decision"]) == (61.5, decision)
    assert row["timestamp"] == NOON.replace(tzinfo=None)
    metrics = central.rows("SELECT * FROM metrics ORDER BY id")
    assert [(m["metric_type"], m["pool_id"]) for m in metrics] == [
        ("policy_value:cpu", row["pool_id"]),
        ("node_cpu", None),
    ]
    (heartbeat,) = central.rows("SELECT * FROM node_heartbeats")
    assert (heartbeat["status"], heartbeat["config_hash"]) == ("ok", "0" * 64)
    assert json.loads(heartbeat["metrics_data"])["cpu"] == 3.5
    assert ("CONFIG_APPLIED", None, "ACTIVE") in events(central)


def test_unknown_utilisation_is_stored_loudly(central: RunningCentral, agent: httpx.Client) -> None:
    send(agent, beat(1, analytics(1)))
    (row,) = central.rows("SELECT * FROM pool_analytics")
    assert math.isnan(row["avg_cpu_utilization"])
    assert math.isnan(row["avg_memory_utilization"])
    assert row["max_cpu_utilization"] is None


def test_the_pool_and_the_node_show_the_newest(
    central: RunningCentral, agent: httpx.Client
) -> None:
    newest = analytics(2, current_instances=7, pool_status="warning")
    send(agent, beat(1, analytics(1), newest))
    (pool,) = central.rows("SELECT current_instances, status FROM pools")
    assert pool == {"current_instances": 7, "status": "warning"}
    (node,) = central.rows("SELECT status, ip_address, last_heartbeat FROM nodes")
    assert (node["status"], node["ip_address"]) == ("ACTIVE", "127.0.0.1")
    assert node["last_heartbeat"] is not None


@pytest.mark.fault(22)
def test_a_repeat_is_answered_and_stores_nothing(
    central: RunningCentral, agent: httpx.Client
) -> None:
    body = beat(1, analytics(1), metric(2), lifecycle(3))
    first, again = send(agent, body), send(agent, body)
    assert again.ack == first.ack
    counts = [count(central, t) for t in ("pool_analytics", "metrics", "node_heartbeats")]
    assert counts == [1, 1, 1]
    assert count(central, "node_lifecycle_logs") == 2


def test_a_resend_with_more_stores_only_what_is_new(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, beat(1, metric(1), metric(2)))
    answer = send(agent, beat(2, metric(2), metric(3), metric(3)))
    assert answer.ack.sequence == 3
    assert count(central, "metrics") == 3


@pytest.mark.fault(21)
def test_streams_have_their_own_cursors(central: RunningCentral, agent: httpx.Client) -> None:
    send(agent, beat(1, metric(5)))
    answer = send(agent, beat(2, metric(1), stream_id="stream-2"))
    assert answer.ack.sequence == 1
    assert count(central, "metrics") == 2


@pytest.mark.fault(23)
def test_a_late_heartbeat_changes_no_state(central: RunningCentral, agent: httpx.Client) -> None:
    send(agent, beat(2, config={"running_hash": "b" * 64}))
    send(agent, beat(1, metric(1), config={"running_hash": "a" * 64}))
    (state,) = central.rows("SELECT running_hash, sequence FROM node_state")
    assert state == {"running_hash": "b" * 64, "sequence": 2}
    assert (count(central, "node_heartbeats"), count(central, "metrics")) == (1, 1)


@pytest.mark.fault(23)
def test_a_heartbeat_of_the_boot_before_changes_no_state(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, beat(9))
    send(agent, beat(1, boot_id="boot-two"))
    send(agent, beat(10))
    (state,) = central.rows("SELECT boot_id, sequence FROM node_state")
    assert state == {"boot_id": "boot-two", "sequence": 1}


REFUSED: dict[str, tuple[dict[str, Any], str, int]] = {
    "a pool nobody has": (analytics(2, oracle_pool_id="ocid1.instancepool.x"), "unknown_pool", 2),
    "a metric of such a pool": (metric(2, oracle_pool_id="nope"), "unknown_pool", 2),
    "a metric type that is not known": (metric(2, metric_type="temperature"), "invalid", 2),
    "a unit that is not known": (metric(2, unit="furlongs"), "invalid", 2),
    "a kind that is not known": ({"kind": "poem", "sequence": 2}, "invalid", 2),
    "a negative size": (analytics(2, current_instances=-1), "invalid", 2),
    "no zone": (metric(2, timestamp="2026-03-02T12:00:00"), "invalid", 2),
    "no sequence": ({"kind": "metric"}, "invalid", 0),
    "an absurd sequence": (metric(2**70), "invalid", 0),
    "a NUL in a text": (analytics(2, scaling_reason="a\0b"), "poison", 2),
    "a NUL inside JSON": (analytics(2, decision={"a": "\0"}), "poison", 2),
}


@pytest.mark.parametrize(("record", "code", "sequence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_record_is_refused_alone(
    central: RunningCentral, agent: httpx.Client, record: dict[str, Any], code: str, sequence: int
) -> None:
    answer = send(agent, beat(1, metric(1), record, metric(3)))
    assert [(r.code, r.sequence) for r in answer.rejected] == [(code, sequence)]
    assert answer.ack.sequence == 3
    assert count(central, "metrics") == 2
    assert send(agent, beat(2, metric(3), metric(4))).ack.sequence == 4
    assert count(central, "metrics") == 3


def test_poison_among_many_records_costs_only_itself(
    central: RunningCentral, agent: httpx.Client
) -> None:
    records = [metric(n) for n in range(1, 101)]
    records[16] = analytics(17, scaling_reason="\0")
    records[70] = lifecycle(71, reason="\0")
    answer = send(agent, beat(1, *records, {"kind": "poem", "sequence": 101}))
    assert sorted((r.sequence, r.code) for r in answer.rejected) == [
        (17, "poison"),
        (71, "poison"),
        (101, "invalid"),
    ]
    assert answer.ack.sequence == 101
    assert (count(central, "metrics"), count(central, "node_heartbeats")) == (98, 1)


def test_a_pool_of_another_node_is_unknown(central: RunningCentral, agent: httpx.Client) -> None:
    with central.client(central.create_node("n2")) as other:
        answer = send(other, beat(1, analytics(1)))
    assert [r.code for r in answer.rejected] == ["unknown_pool"]


def test_a_poisoned_frame_is_refused_whole(agent: httpx.Client) -> None:
    response = agent.post("/v1/heartbeat", json=beat(1, error_message="a\0b"))
    assert (response.status_code, response.json()["code"]) == (422, "poison")


# what the agent is told about its configuration ------------------------------------------------

HASH = config_hash(CONFIG)
OTHER = "f" * 64
OFFERS: dict[str, tuple[dict[str, Any], bool]] = {
    "it runs nothing": ({}, True),
    "it runs another": ({"running_hash": OTHER, "status": "applied"}, True),
    "it runs this one": ({"running_hash": HASH, "status": "applied"}, False),
    "it is applying this one": ({"received_hash": HASH, "status": "applying"}, False),
    "it refused this one": ({"failed_hash": HASH, "status": "failed"}, False),
    "it refused another": ({"failed_hash": OTHER, "status": "failed"}, True),
}


@pytest.mark.parametrize(("report", "offered"), OFFERS.values(), ids=OFFERS.keys())
def test_yaml_is_sent_when_the_hash_differs_and_was_not_refused(
    agent: httpx.Client, report: dict[str, Any], offered: bool
) -> None:
    answer = send(agent, beat(1, config=report))
    assert (answer.config_hash, answer.generation) == (HASH, 1)
    assert answer.yaml_config == (CONFIG if offered else None)


def test_a_new_push_reaches_the_next_heartbeat(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, beat(1, config={"running_hash": HASH}))
    longer = CONFIG + "# a comment is a change\n"
    central.push("n1", longer)
    answer = send(agent, beat(2, config={"running_hash": HASH}))
    assert (answer.yaml_config, answer.generation) == (longer, 2)


def test_a_refused_yaml_is_offered_again_after_retry(
    central: RunningCentral, agent: httpx.Client
) -> None:
    refused = {"failed_hash": HASH, "status": "failed", "error": "no such pool"}
    assert send(agent, beat(1, config=refused)).yaml_config is None
    assert central.operator().post("/v1/nodes/n1/config/retry").status_code == 200
    offers = [send(agent, beat(n, config=refused)).yaml_config for n in range(2, 7)]
    assert [offer is not None for offer in offers] == [True, True, True, False, False]


def test_a_new_agent_version_is_offered_what_the_old_one_refused(agent: httpx.Client) -> None:
    refused = {"failed_hash": HASH, "status": "failed"}
    assert send(agent, beat(1, config=refused)).yaml_config is None
    assert send(agent, beat(2, config=refused, agent_version="1.1.0")).yaml_config == CONFIG


def test_a_node_without_a_configuration_is_told_so(central: RunningCentral) -> None:
    with central.client(central.create_node("bare")) as agent:
        answer = send(agent, beat())
    assert (answer.config_hash, answer.yaml_config, answer.generation) == (None, None, None)


def test_a_store_that_forgot_generations_says_it_is_behind(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, beat(1, config={"generation": 7}))
    send(agent, beat(2, config={"generation": 7}))
    assert [e[0] for e in events(central)].count("CENTRAL_BEHIND") == 1
    assert central.push("n1", CONFIG + "\n").generation == 8


# who may send ----------------------------------------------------------------------------------


def test_without_a_live_key_nothing_is_stored(central: RunningCentral) -> None:
    key = central.create_node("n1")
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    other = "pk_node_99_" + key.rpartition("_")[2]
    for token in (None, "nonsense", wrong, other):
        with central.client(token) as client:
            response = client.post("/v1/heartbeat", json=beat())
        assert response.status_code == 401, token
    assert count(central, "node_heartbeats") == 0


@pytest.mark.fault(31)
def test_a_revoked_key_stops_working_at_once(central: RunningCentral, agent: httpx.Client) -> None:
    send(agent, beat(1))
    central.execute("UPDATE node_keys SET revoked_at = now()")
    refused = eventually(
        lambda: agent.post("/v1/heartbeat", json=beat(2)).status_code == 401, within=1
    )
    assert refused


def test_a_deleted_node_is_refused(central: RunningCentral, agent: httpx.Client) -> None:
    send(agent, beat(1, analytics(1)))
    central.execute("DELETE FROM nodes")
    assert agent.post("/v1/heartbeat", json=beat(2)).status_code == 401
    assert count(central, "pool_analytics") == 0


def test_a_heartbeat_waits_for_its_locked_node_and_no_other_does(
    central: RunningCentral, agent: httpx.Client
) -> None:
    with central.client(central.create_node("n2")) as other:
        with central.whole.engine.begin() as connection:
            connection.exec_driver_sql(
                "SELECT 1 FROM node_state JOIN nodes ON id = node_id WHERE name = 'n1' FOR UPDATE"
            )
            assert send(other, beat(1, metric(1))).ack.sequence == 1
            with pytest.raises(httpx.ReadTimeout):
                agent.post("/v1/heartbeat", json=beat(1, metric(1)), timeout=0.3)
        assert send(agent, beat(1, metric(1))).ack.sequence == 1
    assert count(central, "metrics") == 2


# status ----------------------------------------------------------------------------------------


def test_status_follows_what_the_agent_says(central: RunningCentral, agent: httpx.Client) -> None:
    send(agent, beat(1))
    send(agent, beat(2, status="error", error_message="OCI refuses us"))
    send(agent, beat(3, status="error", error_message="OCI refuses us"))
    send(agent, beat(4))
    send(agent, beat(5, goodbye=True))
    send(agent, beat(1, boot_id="boot-two"))
    assert events(central) == [
        ("ACTIVATED", "INACTIVE", "ACTIVE"),
        ("AGENT_ERROR", "ACTIVE", "ERROR"),
        ("RECOVERED", "ERROR", "ACTIVE"),
        ("STOPPED", "ACTIVE", "INACTIVE"),
        ("ACTIVATED", "INACTIVE", "ACTIVE"),
    ]


def test_coming_back_tells_how_long_it_was_away(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, beat(1))
    central.execute("UPDATE nodes SET status = 'OFFLINE'")
    central.execute("UPDATE node_state SET offline_since = now() - interval '90 seconds'")
    send(agent, beat(2))
    (row,) = central.rows(
        "SELECT extra_data FROM node_lifecycle_logs WHERE event_type = 'CAME_ONLINE'"
    )
    assert '"offline_seconds": 9' in row["extra_data"]
    assert events(central)[-1] == ("CAME_ONLINE", "OFFLINE", "ACTIVE")


def test_the_deadline_follows_from_the_interval_and_a_goodbye_lifts_it(
    central: RunningCentral, agent: httpx.Client
) -> None:
    assert send(agent, beat(1)).next_heartbeat_seconds == 30
    statement = "SELECT EXTRACT(EPOCH FROM deadline_at - received_at)::float8 AS s FROM node_state"
    assert central.rows(statement) == [{"s": 105.0}]
    send(agent, beat(2, goodbye=True))
    assert central.rows(statement) == [{"s": None}]


# trouble ---------------------------------------------------------------------------------------


def test_a_missing_partition_is_made_on_demand(
    central: RunningCentral, agent: httpx.Client
) -> None:
    for table in ("metrics", "node_heartbeats", "pool_analytics"):
        (today,) = central.rows("SELECT to_char(now(), 'YYYYMMDD') AS day")
        central.execute(f"DROP TABLE {table}_{today['day']}")
    assert send(agent, beat(1, metric(1), analytics(2))).ack.sequence == 2
    assert count(central, "metrics") == 1


def test_terminated_backends_cost_a_503_and_no_record(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, beat(1))
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    central.rows(kill)

    def stored() -> bool:
        response = agent.post("/v1/heartbeat", json=beat(2, metric(1)))
        assert response.status_code in {200, 503}
        assert response.status_code == 200 or int(response.headers["Retry-After"]) >= 1
        return response.status_code == 200

    eventually(stored)
    assert (count(central, "metrics"), count(central, "node_heartbeats")) == (1, 2)


def test_agents_that_come_together_are_committed_together(central: RunningCentral) -> None:
    keys = [central.create_node(f"n{number}") for number in range(40)]

    async def _all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(base_url=central.url, limits=limits, timeout=30) as client:
            return await asyncio.gather(
                *(
                    client.post(
                        "/v1/heartbeat",
                        json=beat(1, metric(1), metric(2)),
                        headers={"Authorization": f"Bearer {key}"},
                    )
                    for key in keys
                )
            )

    assert {response.status_code for response in asyncio.run(_all())} == {200}
    (found,) = central.rows(
        "SELECT count(*) AS n, count(DISTINCT received_at) AS commits FROM node_heartbeats"
    )
    assert found["n"] == 40
    assert found["commits"] < 40
    assert count(central, "metrics") == 80


def test_a_full_queue_is_a_503_with_a_time_to_come_back(
    central: RunningCentral, agent: httpx.Client
) -> None:
    central.whole.queue.close()
    response = agent.post("/v1/heartbeat", json=beat(1, metric(1)))
    assert (response.status_code, response.json()["code"]) == (503, "busy")
    assert 1 <= int(response.headers["Retry-After"]) <= 5
    assert count(central, "metrics") == 0
