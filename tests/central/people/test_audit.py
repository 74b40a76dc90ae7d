"""The audit: a chain that the database writes and we check, and everything that breaks it."""

import csv
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from central import audit_chain
from central.audit_chain import Break
from central.database import open_engine
from central.housekeeping import tidy
from central.store import audit, audit_trail, users
from central.store.audit import Actor, Event
from central.tables import audit_logs
from tests import postgres
from tests.central_server import RunningCentral


@pytest.fixture
def engine(cluster: postgres.Cluster) -> Iterator[Engine]:
    engine = open_engine(cluster.new_database())
    yield engine
    engine.dispose()


def write(engine: Engine, *names: str, actor: Actor | None = None) -> None:
    for name in names:
        with engine.begin() as connection:
            event = Event("TESTED", "SYSTEM", "thing", name, name, details={"name": name})
            audit.append(connection, actor or Actor(email="me@x.y", role="ADMIN"), event)


def breaks(engine: Engine) -> list[Break]:
    with engine.connect() as connection:
        return audit_trail.verify(connection).breaks


def tamper(engine: Engine, statement: str) -> None:
    """As somebody who owns the tables would do it."""
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_logs DISABLE TRIGGER USER"))
        connection.execute(text(statement))
        connection.execute(text("ALTER TABLE audit_logs ENABLE TRIGGER USER"))


def days_later(engine: Engine, days: int) -> None:
    """Let what was written until now be so many days old, as the chain sees it."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE audit_links SET day = day - CAST(:days AS integer)"), {"days": days}
        )


def test_the_chain_covers_every_column_but_the_one_that_is_forgotten() -> None:
    assert {column.name for column in audit_logs.c} == {*audit_chain.FIELDS, "user_id"}


def test_what_was_written_verifies(engine: Engine) -> None:
    write(engine, *"abcde")
    with engine.connect() as connection:
        verdict = audit_trail.verify(connection)
    assert (verdict.breaks, verdict.rows, verdict.days) == ([], 5, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("description = 'x'", "the row, or its hash, was changed"),
        ("details = NULL", "the row, or its hash, was changed"),
        ("status = 'FAILURE'", "the row, or its hash, was changed"),
        ("actor_id = 7", "the row, or its hash, was changed"),
        ("timestamp = timestamp - interval '1 microsecond'", "the row, or its hash, was changed"),
        (
            "user_email = '', user_role = user_email || user_role",
            "the row, or its hash, was changed",
        ),
    ],
)
def test_an_edited_row_is_named(engine: Engine, change: str, problem: str) -> None:
    write(engine, *"abcde")
    tamper(engine, f"UPDATE audit_logs SET {change} WHERE id = 3")
    (found,) = breaks(engine)
    assert (found.row, found.problem) == (3, problem)


def test_a_deleted_row_is_named(engine: Engine) -> None:
    write(engine, *"abcde")
    tamper(engine, "DELETE FROM audit_logs WHERE id = 2")
    assert [(found.row, found.problem) for found in breaks(engine)] == [(2, "the row was deleted")]


def test_a_row_deleted_with_its_link_leaves_a_gap(engine: Engine) -> None:
    write(engine, *"abcde")
    tamper(
        engine, "DELETE FROM audit_logs WHERE id = 2; DELETE FROM audit_links WHERE audit_id = 2"
    )
    (found,) = breaks(engine)
    assert (found.row, found.problem) == (3, "rows before it were taken out of the chain")


def test_a_row_put_in_by_hand_is_named(engine: Engine) -> None:
    write(engine, *"abc")
    tamper(engine, "INSERT INTO audit_logs (action, category) VALUES ('FORGED', 'AUTH')")
    (found,) = breaks(engine)
    assert (found.row, found.problem) == (4, "the row was put in beside the chain")


def test_two_swapped_hashes_are_found(engine: Engine) -> None:
    write(engine, *"abcde")
    tamper(
        engine,
        "UPDATE audit_links a SET hash = b.hash FROM audit_links b "
        "WHERE (a.audit_id, b.audit_id) IN ((2, 4), (4, 2))",
    )
    assert {2, 4} <= {found.row for found in breaks(engine)}


def test_a_day_is_sealed_by_the_first_row_of_the_next(engine: Engine) -> None:
    write(engine, *"abc")
    days_later(engine, 2)
    write(engine, *"de")
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT day, rows FROM audit_seals")).all()
        links = connection.execute(text("SELECT day, position FROM audit_links ORDER BY 1, 2"))
        positions = [position for _, position in links]
    today = datetime.now(UTC).date()
    assert tuple(row) == (today - timedelta(days=2), 3)
    assert positions == [1, 2, 3, 1, 2]
    assert breaks(engine) == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_seals",
        "UPDATE audit_seals SET rows = 2",
        "DELETE FROM audit_logs WHERE id = 3; DELETE FROM audit_links WHERE audit_id = 3",
        "DELETE FROM audit_logs WHERE id <= 3; DELETE FROM audit_links WHERE audit_id <= 3",
    ],
)
def test_a_sealed_day_cannot_lose_its_end(engine: Engine, statement: str) -> None:
    write(engine, *"abc")
    days_later(engine, 2)
    write(engine, *"de")
    tamper(engine, statement)
    assert breaks(engine)


def test_a_clock_that_goes_back_does_not_reopen_a_sealed_day(engine: Engine) -> None:
    write(engine, "a")
    days_later(engine, -1)  # as if that row had been written tomorrow
    write(engine, "b")
    with engine.connect() as connection:
        days = list(connection.scalars(text("SELECT DISTINCT day FROM audit_links")))
    assert days == [datetime.now(UTC).date() + timedelta(days=1)]
    assert breaks(engine) == []


def test_a_deleted_account_is_forgotten_and_its_rows_still_verify(engine: Engine) -> None:
    with engine.begin() as connection:
        user_id = users.create(connection, "u@x.y", "USER", "U", "x")
    write(engine, "a", actor=Actor(user_id, "u@x.y", "USER"))
    with engine.begin() as connection:
        users.remove(connection, user_id)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT user_id, actor_id, user_email FROM audit_logs")).one()
    assert tuple(row) == (None, user_id, "u@x.y")
    assert breaks(engine) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_logs SET action = 'X'",
        "UPDATE audit_logs SET user_id = NULL, action = 'X'",
        "UPDATE audit_logs SET actor_id = 7",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
    ],
)
def test_the_guard_lets_nothing_else_through(engine: Engine, statement: str) -> None:
    write(engine, "a")
    with pytest.raises(DBAPIError, match="insert-only"), engine.begin() as connection:
        connection.execute(text(statement))


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # rows only add up
)
@given(st.lists(st.one_of(st.none(), texts), min_size=6, max_size=6))
def test_the_database_and_we_hash_alike(engine: Engine, values: list[str | None]) -> None:
    email, role, name, description, agent, why = values
    actor = Actor(None, email, role and role[:50], "2001:db8::1", agent)
    event = Event("TESTED", "SYSTEM", None, None, name, description, {"é": name}, why)
    with engine.begin() as connection:
        audit.append(connection, actor, event)
    assert breaks(engine) == []


def test_rows_written_at_the_same_time_form_one_chain(central: RunningCentral) -> None:
    engine = central.whole.engine
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: write(engine, str(number)), range(60)))
    assert breaks(engine) == []


# retention ---------------------------------------------------------------------------------------


def retain(engine: Engine, days: int | None) -> None:
    with engine.begin() as connection:
        audit_trail.set_retention(connection, days)


def test_retention_removes_whole_sealed_days_and_keeps_their_seals(engine: Engine) -> None:
    write(engine, *"abc")
    days_later(engine, 101)
    write(engine, *"de")
    days_later(engine, 0)
    retain(engine, 100)
    tidy(engine)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT id, action FROM audit_logs ORDER BY id")).all()
        seals = connection.execute(text("SELECT rows, removed_at FROM audit_seals")).all()
    assert [row.action for row in rows] == ["TESTED", "TESTED", "AUDIT_DAYS_REMOVED"]
    assert [seal.rows for seal in seals] == [3]
    assert seals[0].removed_at is not None
    assert breaks(engine) == []


def test_without_a_retention_nothing_goes(engine: Engine) -> None:
    write(engine, "a")
    days_later(engine, 4000)
    write(engine, "b")
    tidy(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit_logs")).scalar() == 2


def test_nobody_removes_what_is_younger_than_ninety_days(engine: Engine) -> None:
    write(engine, "a")
    days_later(engine, 89)
    with pytest.raises(DBAPIError, match="at least 90 days"), engine.begin() as connection:
        connection.execute(text("SELECT remove_audit_days(CURRENT_DATE - 80)"))
    with pytest.raises(DBAPIError, match="retention_days"):
        retain(engine, 89)


# over HTTP ---------------------------------------------------------------------------------------


def fill(central: RunningCentral) -> None:
    admin = central.operator("ADMIN")
    for name in ("n1", "n2"):
        assert admin.post("/v1/nodes", json={"name": name, "region": "r1"}).status_code == 201
    assert central.operator("USER").post("/v1/nodes", json={}).status_code == 403


FILTERS: dict[str, tuple[dict[str, str], list[str]]] = {
    "category": ({"category": "NODE"}, ["NODE_CREATED", "NODE_CREATED"]),
    "resource": ({"resource": "n2"}, ["NODE_CREATED"]),
    "user": ({"user": "USER@example.com"}, ["ACCESS_DENIED"]),
    "status": ({"status": "FAILURE"}, ["ACCESS_DENIED"]),
    "action and user": ({"action": "NODE_CREATED", "user": "user@example.com"}, []),
}


@pytest.mark.parametrize(("params", "actions"), FILTERS.values(), ids=FILTERS.keys())
def test_rows_are_found_by_what_they_are_about(
    central: RunningCentral, params: dict[str, str], actions: list[str]
) -> None:
    start = datetime.now(UTC) - timedelta(seconds=1)
    before = int(central.rows("SELECT COALESCE(max(id), 0) AS n FROM audit_logs")[0]["n"])
    fill(central)
    found = central.operator().get("/v1/audit", params={**params, "from": start.isoformat()})
    assert [row["action"] for row in found.json() if row["id"] > before] == actions
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert central.operator().get("/v1/audit", params={**params, "from": later}).json() == []


def test_pages_continue_without_a_gap(central: RunningCentral) -> None:
    fill(central)
    admin = central.operator()
    whole = admin.get("/v1/audit", params={"limit": 3}).json()
    first = admin.get("/v1/audit", params={"limit": 1}).json()
    rest = admin.get("/v1/audit", params={"limit": 2, "before": first[0]["id"]}).json()
    assert first + rest == whole


def test_an_export_is_a_table_that_no_spreadsheet_runs(central: RunningCentral) -> None:
    admin = central.operator()
    agent = '=HYPERLINK("http://evil.example.com")'
    with central.client() as stranger:
        body = {"email": "@SUM(A1)", "password": "x"}
        stranger.post("/v1/login", json=body, headers={"User-Agent": agent})
    exported = admin.get("/v1/audit/export", params={"category": "AUTH"})
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert rows[0]["user_agent"] == "'" + agent
    assert rows[0]["resource_name"] == "'@sum(a1)"
    lines = admin.get("/v1/audit/export", params={"format": "json", "limit": 1}).text.splitlines()
    newest: dict[str, Any] = json.loads(lines[0])
    assert (newest["action"], newest["details"]) == ("AUDIT_EXPORTED", {"format": "json"})


def test_verification_over_http_names_the_row(central: RunningCentral) -> None:
    admin = central.operator()
    fill(central)
    assert admin.get("/v1/audit/verify").json()["ok"] is True
    (row,) = central.rows("SELECT max(id) AS id FROM audit_logs")
    tamper(central.whole.engine, f"UPDATE audit_logs SET status = 'SUCCESS' WHERE id = {row['id']}")
    verdict = admin.get("/v1/audit/verify").json()
    tamper(central.whole.engine, f"UPDATE audit_logs SET status = 'FAILURE' WHERE id = {row['id']}")
    assert verdict["ok"] is False
    assert [found["row"] for found in verdict["breaks"]] == [row["id"]]


def test_an_export_that_cannot_be_is_refused_and_not_broken_off(central: RunningCentral) -> None:
    answer = central.operator().get("/v1/audit/export", params={"user": "a\x00b"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
