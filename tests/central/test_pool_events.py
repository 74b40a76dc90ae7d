"""Scaling events over HTTP: newest first, live before the roll-up, whole after it."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from central.history.rollup import roll_up
from tests.central_server import RunningCentral, eventually
from tests.heartbeats import CONFIG, WEB, analytics, beat

EVENTS = ("SCALE_OUT", None, "SCALE_IN", "CAPACITY_ERROR", None, "SCALE_OUT")


@pytest.fixture
def now(central: RunningCentral) -> datetime:
    """The database's clock to the second; records may not be older than a week."""
    moment: datetime = central.rows("SELECT now() AS at")[0]["at"]
    return moment.replace(microsecond=0)


@pytest.fixture
def store(central: RunningCentral, now: datetime) -> RunningCentral:
    with central.client(central.create_node("n1")) as agent:
        central.push("n1", CONFIG)
        records = [
            analytics(
                number + 1,
                timestamp=(now - timedelta(minutes=10 - number)).isoformat(),
                scaling_reason=f"reason {number}",
                decision={"before": number, "to": number + 1},
                **({} if event is None else {"scaling_event": event}),
            )
            for number, event in enumerate(EVENTS)
        ]
        assert agent.post("/v1/heartbeat", json=beat(1, *records)).status_code == 200
    return central


def ask(store: RunningCentral, now: datetime, pool: str = "web", **query: Any) -> httpx.Response:
    bounds = {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat()}
    return store.operator("USER").get(f"/v1/pools/{pool}/events", params={**bounds, **query})


def kinds(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["scaling_event"] for row in answer.json()]


NEWEST_FIRST = [event for event in reversed(EVENTS) if event]


@pytest.mark.parametrize("pool", ["web", WEB, "n1%2Fweb"])
def test_events_come_newest_first_and_holds_are_none(
    store: RunningCentral, now: datetime, pool: str
) -> None:
    rows = ask(store, now, pool)
    assert kinds(rows) == NEWEST_FIRST
    assert rows.json()[0]["scaling_reason"] == "reason 5"
    assert rows.json()[0]["decision"] == {"before": 5, "to": 6}
    assert rows.json()[0]["avg_cpu_utilization"] is None, "unknown is null"


def test_the_roll_up_neither_hides_nor_doubles_an_event(
    store: RunningCentral, now: datetime
) -> None:
    before = ask(store, now).json()
    eventually(lambda: roll_up(store.whole.engine))
    assert len(store.rows("SELECT FROM scaling_events")) == 4
    assert ask(store, now).json() == before
    store.execute("DELETE FROM pool_analytics")
    assert ask(store, now).json() == before, "events outlive the rows that they were part of"


def test_pages_meet_without_a_gap_or_an_overlap(store: RunningCentral, now: datetime) -> None:
    first = ask(store, now, limit=2)
    last = first.json()[-1]
    second = ask(store, now, limit=2, to=last["timestamp"], before=last["id"])
    assert kinds(first) + kinds(second) == NEWEST_FIRST
    end = second.json()[-1]
    assert kinds(ask(store, now, to=end["timestamp"], before=end["id"])) == []


def test_events_are_csv_on_request(store: RunningCentral, now: datetime) -> None:
    answer = ask(store, now, format="csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["scaling_event"] for row in rows] == NEWEST_FIRST


REFUSED = [
    ("nothing", {}, 404),
    ("web", {"to": "2020-01-01T00:00:00Z"}, 422),
    ("web", {"limit": 0}, 422),
]


@pytest.mark.parametrize(("pool", "query", "status"), REFUSED)
def test_what_cannot_be_answered_is_refused(
    store: RunningCentral, now: datetime, pool: str, query: dict[str, Any], status: int
) -> None:
    assert ask(store, now, pool, **query).status_code == status
