"""Silent nodes go offline: once, by the database's clock, and not when central was away."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from central.store.sweep import Sweep, sweep


class Fleet:
    """Nodes written straight into the database, with deadlines relative to its clock."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.run("UPDATE central_state SET alive_at = now()")  # the copied template's is older

    def add(self, name: str, late_by: float, status: str = "ACTIVE", interval: float = 30) -> None:
        self.run(
            "WITH n AS (INSERT INTO nodes (name, region, status) "
            "VALUES (:name, 'r', CAST(:status AS node_status)) RETURNING id) "
            "INSERT INTO node_state (node_id, assigned_interval, received_at, deadline_at) "
            "SELECT id, :interval, now() - interval '2 minutes', "
            "now() - :late * interval '1 second' FROM n",
            name=name,
            status=status,
            interval=interval,
            late=late_by,
        )

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def sweep(self) -> Sweep:
        with self.engine.begin() as connection:
            return sweep(connection)

    def read(self, statement: str) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement)).mappings()]

    def statuses(self) -> dict[str, str]:
        return {row["name"]: row["status"] for row in self.read("SELECT name, status FROM nodes")}


@pytest.fixture
def fleet(engine: Engine) -> Fleet:
    fleet = Fleet(engine)
    for number in range(10):  # a fleet so large that a few silent nodes are no disruption
        fleet.add(f"calm-{number}", late_by=-100)
    return fleet


CASES = [
    ("ACTIVE", 1, "OFFLINE"),
    ("ERROR", 1, "OFFLINE"),
    ("ACTIVE", -1, "ACTIVE"),
    ("INACTIVE", 1, "INACTIVE"),
    ("OFFLINE", 1, "OFFLINE"),
]


@pytest.mark.parametrize(("status", "late_by", "after"), CASES)
def test_only_a_living_node_past_its_deadline_goes_offline(
    fleet: Fleet, status: str, late_by: float, after: str
) -> None:
    fleet.add("n", late_by, status)
    moved = fleet.sweep().offline
    assert fleet.statuses()["n"] == after
    assert moved == (1 if after != status else 0)


def test_the_event_bears_the_time_of_the_deadline(fleet: Fleet) -> None:
    fleet.add("n", late_by=40, status="ERROR")
    fleet.sweep()
    (event,) = fleet.read(
        "SELECT l.*, l.timestamp = s.deadline_at AS at_deadline, s.offline_since = s.deadline_at "
        "AS marked FROM node_lifecycle_logs l JOIN node_state s USING (node_id)"
    )
    assert (event["event_type"], event["previous_status"], event["new_status"]) == (
        "WENT_OFFLINE",
        "ERROR",
        "OFFLINE",
    )
    assert event["at_deadline"]
    assert event["marked"]
    assert event["reason"].startswith("no heartbeat since 20")
    assert event["triggered_by"] == "system"


def test_a_second_pass_says_nothing_new(fleet: Fleet) -> None:
    fleet.add("n", late_by=1)
    assert [fleet.sweep().offline for _ in range(3)] == [1, 0, 0]


def test_many_replicas_write_one_event(fleet: Fleet) -> None:
    for number in range(5):
        fleet.add(f"n{number}", late_by=1)
    with ThreadPoolExecutor(4) as pool:
        moved = sum(s.offline for s in pool.map(lambda _: fleet.sweep(), range(16)))
    assert moved == 5
    assert fleet.read("SELECT count(*) AS n FROM node_lifecycle_logs") == [{"n": 5}]


def away(fleet: Fleet, seconds: float) -> None:
    fleet.run("UPDATE central_state SET alive_at = now() - :s * interval '1 second'", s=seconds)


def test_after_an_outage_nobody_is_blamed_for_a_while(fleet: Fleet) -> None:
    fleet.add("n", late_by=3000)
    away(fleet, 3600)
    assert fleet.sweep() == Sweep(held="amnesty")
    assert fleet.sweep() == Sweep(held="amnesty")
    back = "UPDATE central_state SET healthy_since = now() - :s * interval '1 second'"
    fleet.run(back, s=105 + 900 - 5)
    assert fleet.sweep() == Sweep(held="amnesty")
    fleet.run(back, s=105 + 900 + 1)
    assert fleet.sweep() == Sweep(offline=1)


def test_a_short_pause_of_the_sweeper_is_no_outage(fleet: Fleet) -> None:
    fleet.add("n", late_by=1)
    away(fleet, 20)
    assert fleet.sweep() == Sweep(offline=1)


def test_when_most_go_silent_it_is_one_event_for_all(engine: Engine) -> None:
    fleet = Fleet(engine)
    for number in range(6):
        fleet.add(f"silent-{number}", late_by=1)
    for number in range(4):
        fleet.add(f"calm-{number}", late_by=-100)
    assert [fleet.sweep().held for _ in range(2)] == ["mass failure"] * 2
    audited = fleet.read("SELECT action, category, description FROM audit_logs")
    assert audited == [
        {
            "action": "FLEET_DISRUPTION",
            "category": "SYSTEM",
            "description": "6 of 10 nodes went silent together",
        }
    ]
    assert set(fleet.statuses().values()) == {"ACTIVE"}
    fleet.run("UPDATE central_state SET disruption_since = now() - interval '16 minutes'")
    assert fleet.sweep() == Sweep(offline=6)
    tags = fleet.read("SELECT DISTINCT extra_data FROM node_lifecycle_logs")
    assert tags == [{"extra_data": '{"during_disruption": true}'}]


def test_a_disruption_ends_when_the_fleet_is_back(engine: Engine) -> None:
    fleet = Fleet(engine)
    for number in range(3):
        fleet.add(f"n{number}", late_by=1)
    fleet.sweep()
    fleet.run("UPDATE node_state SET deadline_at = now() + interval '1 minute'")
    assert fleet.sweep() == Sweep(offline=0)
    assert fleet.read("SELECT disruption_since FROM central_state") == [{"disruption_since": None}]
