"""The application's role in the database: it adds to the audit trail, and that is all."""

import contextlib
from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from central.database import open_engine
from central.database_roles import hand_over, may_edit_the_trail, migrate_as_owner
from central.embedded import SUPERUSER
from central.errors import StartError
from central.housekeeping import tidy
from central.partitions import ensure_partitions
from central.store import audit, audit_trail, users
from central.store.audit import Actor, Event
from tests import postgres
from tests.central_server import running_central

EVENT = Event("TESTED", "SYSTEM")


@pytest.fixture
def urls(cluster: postgres.Cluster) -> tuple[str, str]:
    """An owner and an application on a fresh database, as an administrator would make them."""
    empty = make_url(cluster.empty_database())
    admin = make_url(cluster.server.url(SUPERUSER, str(empty.database)))
    with contextlib.closing(psycopg2.connect(_plain(admin.render_as_string(False)))) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for role in ("trail_owner", "trail_app"):
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        cursor.execute("GRANT trail_app TO trail_owner")
        cursor.execute(f"ALTER DATABASE {empty.database} OWNER TO trail_owner")
        cursor.execute("ALTER SCHEMA public OWNER TO trail_owner")
    owner, application = (
        empty.set(username=role, password="secret").render_as_string(False)
        for role in ("trail_owner", "trail_app")
    )
    return owner, application


@pytest.fixture
def application(urls: tuple[str, str]) -> Iterator[Engine]:
    migrate_as_owner(*urls)
    engine = open_engine(urls[1])
    yield engine
    engine.dispose()


def write(engine: Engine) -> None:
    with engine.begin() as connection:
        audit.append(connection, Actor(email="me@x.y"), EVENT)


ATTEMPTS = [
    "UPDATE audit_logs SET action = 'X'",
    "UPDATE audit_logs SET user_id = NULL",
    "DELETE FROM audit_logs",
    "TRUNCATE audit_logs",
    "ALTER TABLE audit_logs DISABLE TRIGGER USER",
    "DROP TABLE audit_logs",
    "DROP SCHEMA public CASCADE",
    "INSERT INTO audit_links VALUES (99, CURRENT_DATE, 99, 'x')",
    "UPDATE audit_links SET hash = 'x'",
    "DELETE FROM audit_links",
    "DELETE FROM audit_seals",
    "CREATE OR REPLACE FUNCTION link_audit_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "SET session_replication_role = replica",
    "SELECT remove_audit_days(CURRENT_DATE)",
]


@pytest.mark.parametrize("statement", ATTEMPTS)
def test_the_application_cannot_touch_what_is_written(application: Engine, statement: str) -> None:
    write(application)
    refused = r"permission denied|must be owner|at least 90 days"
    with pytest.raises(DBAPIError, match=refused), application.begin() as connection:
        connection.execute(text(statement))
    with application.connect() as connection:
        verdict = audit_trail.verify(connection)
    assert (verdict.breaks, verdict.rows) == ([], 1)


def test_the_application_adds_rows_and_they_are_chained(application: Engine) -> None:
    with application.begin() as connection:
        user_id = users.create(connection, "u@x.y", "USER", "U", "x")
        audit.append(connection, Actor(user_id, "u@x.y", "USER"), EVENT)
    with application.begin() as connection:
        users.remove(connection, user_id)
    tidy(application)
    with application.connect() as connection:
        assert not may_edit_the_trail(connection)
        row = connection.execute(text("SELECT user_id, actor_id FROM audit_logs")).one()
        assert tuple(row) == (None, user_id)
    with application.connect() as connection:
        assert audit_trail.verify(connection).breaks == []


def test_the_application_works_with_everything_else(
    application: Engine, urls: tuple[str, str]
) -> None:
    assert ensure_partitions(application)
    with running_central(urls[1], migrate=False) as central:
        central.create_node("n1")
        assert central.operator().get("/v1/audit/verify").json()["ok"] is True


def test_migrating_again_changes_nothing(application: Engine, urls: tuple[str, str]) -> None:
    ensure_partitions(application)
    migrate_as_owner(*urls)
    write(application)


def test_the_owner_must_be_allowed_to_hand_over(urls: tuple[str, str]) -> None:
    migrate_as_owner(*urls)
    owner = open_engine(urls[0])
    for role, sentence in (("nobody_at_all", "no role"), (SUPERUSER, "superuser")):
        with pytest.raises(StartError, match=sentence):
            hand_over(owner, role)
    owner.dispose()


def test_a_role_that_owns_the_trail_is_told(
    urls: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    migrate_as_owner(*urls)
    with running_central(urls[0], migrate=False):
        assert "owns the audit trail" in caplog.text


def _plain(url: str) -> str:
    return url.replace("+psycopg2", "")
