"""Two agents on one node's key: told once, shown while it lasts, and only one may resize."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from shared.wire import HeartbeatAnswer
from tests.central_server import RunningCentral, running_central
from tests.heartbeats import CONFIG, WEB, beat, metric


@pytest.fixture
def key(central: RunningCentral) -> str:
    key = central.create_node("n1")
    central.push("n1", CONFIG)
    return key


@pytest.fixture
def agent(central: RunningCentral, key: str) -> Iterator[httpx.Client]:
    with central.client(key) as agent:
        yield agent


def send(agent: httpx.Client, boot: str, sequence: int, **fields: Any) -> HeartbeatAnswer:
    body = beat(sequence, boot_id=f"boot-{boot}", stream_id=f"stream-{boot}", **fields)
    response = agent.post("/v1/heartbeat", json=body)
    assert response.status_code == 200, response.text
    return HeartbeatAnswer.model_validate_json(response.content)


def alternate(agent: httpx.Client, first: int, last: int) -> list[HeartbeatAnswer]:
    """Both agents report in turn; returns the answers of the one that was there before."""
    heard = []
    for sequence in range(first, last + 1):
        heard.append(send(agent, "old", sequence))
        send(agent, "new", sequence)
    return heard


def told(central: RunningCentral) -> list[dict[str, Any]]:
    return central.rows(
        "SELECT * FROM node_lifecycle_logs WHERE event_type = 'DUPLICATE_AGENT' ORDER BY id"
    )


def view(central: RunningCentral) -> dict[str, Any]:
    return dict(central.operator().get("/v1/nodes/n1").json())


def fall_silent(central: RunningCentral) -> None:
    """Let the node's deadline pass, and the time for which a rival counts as alive."""
    central.execute(
        "UPDATE node_state SET deadline_at = now() - interval '1 s',"
        " rival_heard_at = rival_heard_at - interval '1 hour'"
    )


@pytest.mark.fault(21)
def test_two_agents_on_one_key_are_told_once_and_shown(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, "old", 1)
    send(agent, "new", 1)
    assert view(central)["duplicate_since"] is None, "so far it may be a restart"
    alternate(agent, 2, 20)
    assert "poolkeeper_nodes_duplicate 1.0" in httpx.get(f"{central.url}/metrics").text
    (row,) = told(central)
    assert (row["previous_status"], row["new_status"]) == ("ACTIVE", "ACTIVE")
    assert "from 127.0.0.1" in row["reason"]
    assert json.loads(row["extra_data"])["stream_id"] == "stream-old"
    assert view(central)["duplicate_since"] is not None


@pytest.mark.fault(21)
def test_one_of_two_agents_is_told_to_observe_and_the_other_goes_on(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, "old", 1)
    send(agent, "new", 1)
    answers = alternate(agent, 2, 5)
    assert [answer.duplicate for answer in answers] == [False, False, True, True]
    assert [answer.observe_pools for answer in answers] == [[], [], [WEB], [WEB]]
    holder = send(agent, "new", 6)
    assert (holder.duplicate, holder.observe_pools) == (True, [])
    assert central.rows("SELECT boot_id FROM node_state") == [{"boot_id": "boot-new"}]


@pytest.mark.fault(21)
def test_a_whole_fleet_of_clones_is_one_episode_with_one_that_acts(
    central: RunningCentral, agent: httpx.Client
) -> None:
    for sequence in range(1, 12):
        for boot in ("one", "two", "three", "four"):
            send(agent, boot, sequence)
    assert len(told(central)) == 1
    free = [
        boot for boot in ("one", "two", "three", "four") if not send(agent, boot, 20).observe_pools
    ]
    assert len(free) == 1


def test_a_restart_and_late_heartbeats_of_the_boot_before_are_no_duplicate(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, "old", 7)
    send(agent, "new", 1)
    for late in (8, 9, 9, 9, 9):  # on their way when it was stopped, one of them doubled by a proxy
        assert not send(agent, "old", late).duplicate
    assert told(central) == []


def test_many_restarts_in_a_row_are_no_duplicate(
    central: RunningCentral, agent: httpx.Client
) -> None:
    for number in range(12):
        send(agent, f"life-{number}", 1)
    assert told(central) == []
    assert central.rows("SELECT boot_id FROM node_state") == [{"boot_id": "boot-life-11"}]


def test_an_agent_that_is_alone_again_is_the_node_again(
    central: RunningCentral, agent: httpx.Client
) -> None:
    send(agent, "old", 1)
    send(agent, "new", 1)
    alternate(agent, 2, 6)
    fall_silent(central)
    answer = send(agent, "old", 7)
    assert (answer.duplicate, answer.observe_pools) == (False, [])
    assert view(central)["duplicate_since"] is None
    assert central.rows("SELECT boot_id FROM node_state") == [{"boot_id": "boot-old"}]


def test_each_episode_is_told(central: RunningCentral, agent: httpx.Client) -> None:
    send(agent, "old", 1)
    send(agent, "new", 1)
    alternate(agent, 2, 6)
    fall_silent(central)
    alternate(agent, 7, 12)
    assert len(told(central)) == 2


def test_their_records_are_kept_apart_by_their_streams(
    central: RunningCentral, agent: httpx.Client
) -> None:
    for sequence in range(1, 6):
        send(agent, "old", sequence, records=[metric(sequence)])
        send(agent, "new", sequence, records=[metric(sequence)])
    assert central.rows("SELECT count(*) AS n FROM metrics") == [{"n": 10}]


@pytest.mark.fault(21)
def test_two_replicas_that_hear_one_agent_each_tell_it_once(
    central: RunningCentral, key: str, database_url: str
) -> None:
    with running_central(database_url) as second, ThreadPoolExecutor(2) as pool:
        clients = central.client(key), second.client(key)
        send(clients[0], "old", 1)
        for sequence in range(2, 12):
            list(pool.map(send, clients, ("old", "new"), (sequence, sequence)))
        for client in clients:
            client.close()
    assert len(told(central)) == 1
