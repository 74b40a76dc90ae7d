"""What a node reports late of a pool that another one has taken over meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.central_server import YAML, RunningCentral
from tests.heartbeats import CONFIG, WEB, analytics, beat, metric


@pytest.fixture
def keys(central: RunningCentral) -> dict[str, str]:
    """Two nodes; the pool went from n1, which was lost, to n2 a moment ago."""
    keys = {name: central.create_node(name) for name in ("n1", "n2")}
    central.push("n1", CONFIG)
    central.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n1'")
    assert take(central, "n2") == 200
    return keys


def take(central: RunningCentral, node: str) -> int:
    path = f"/v1/nodes/{node}/config"
    given = {"content": CONFIG.encode(), "headers": YAML, "params": {"take_over": True}}
    return central.operator().put(path, **given).status_code  # type: ignore[arg-type] # by name


def send(central: RunningCentral, key: str, *records: dict[str, Any], **fields: Any) -> list[str]:
    """Report records; returns the codes of those that were refused."""
    with central.client(key) as agent:
        answer = agent.post("/v1/heartbeat", json=beat(1, *records, **fields))
    assert answer.status_code == 200
    return [refused["code"] for refused in answer.json()["rejected"]]


def at(minutes: float) -> dict[str, str]:
    return {"timestamp": (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()}


def test_what_happened_while_it_owned_the_pool_is_kept_under_its_name(
    central: RunningCentral, keys: dict[str, str]
) -> None:
    size = metric(2, oracle_pool_id=WEB, metric_type="pool_instances", unit="count", **at(-5))
    event = analytics(1, scaling_event="SCALE_OUT", current_instances=9, **at(-5))
    assert send(central, keys["n1"], event, size) == []
    rows = central.rows("SELECT node_id, scaling_event FROM pool_analytics")
    assert rows == [{"node_id": 1, "scaling_event": "SCALE_OUT"}]
    assert central.rows("SELECT node_id FROM metrics") == [{"node_id": 1}]


def test_the_pool_as_it_is_now_is_the_new_owners_word(
    central: RunningCentral, keys: dict[str, str]
) -> None:
    assert send(central, keys["n2"], analytics(1, current_instances=4, **at(0))) == []
    assert send(central, keys["n1"], analytics(1, current_instances=9, **at(-5))) == []
    assert central.rows("SELECT current_instances FROM pools") == [{"current_instances": 4}]


def test_what_it_saw_afterwards_is_refused_alone(
    central: RunningCentral, keys: dict[str, str]
) -> None:
    records = analytics(1, **at(-1)), analytics(2, **at(1)), analytics(3, **at(-1))
    assert send(central, keys["n1"], *records) == ["unknown_pool"]
    assert central.rows("SELECT count(*) AS n FROM pool_analytics") == [{"n": 2}]


def test_a_node_that_never_owned_it_reports_nothing_of_it(
    central: RunningCentral, keys: dict[str, str]
) -> None:
    stranger = central.create_node("n3")
    assert send(central, stranger, analytics(1, **at(-5))) == ["unknown_pool"]


def test_each_take_over_moves_the_line(central: RunningCentral, keys: dict[str, str]) -> None:
    central.execute("UPDATE pool_former_owners SET until = until - interval '1 hour'")
    assert send(central, keys["n1"], analytics(1, **at(-5))) == ["unknown_pool"]
    assert take(central, "n1") == 200
    central.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n1'")
    assert take(central, "n2") == 200
    assert send(central, keys["n1"], analytics(2, **at(-5)), boot_id="boot-two") == []
