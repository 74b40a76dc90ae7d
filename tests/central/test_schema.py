"""The live database against the contract's tables: every column, type, default, index and rule."""

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from central import (
    tables_enrolment,
    tables_history,
    tables_orders,
    tables_people,
    tables_rollup,
    tables_support,
)
from central.database import check_server, open_engine
from central.errors import StartError
from central.migrate import migrate, require_current
from central.partitions import ensure_partitions
from central.tables import metadata
from tests import postgres

DOCS = Path(__file__).parents[2] / "docs"
NOW = "now()"
SERIAL = ("integer", "NOT NULL", "nextval")
BIG = ("bigint", "NOT NULL", "nextval")


def varchar(length: int, null: str = "NULL", default: str | None = None) -> tuple[Any, ...]:
    return (f"character varying({length})", null, default)


def integer(null: str = "NULL", default: str | None = None) -> tuple[Any, ...]:
    return ("integer", null, default)


def double(null: str = "NULL", default: str | None = None) -> tuple[Any, ...]:
    return ("double precision", null, default)


def boolean(default: str) -> tuple[Any, ...]:
    return ("boolean", "NULL", default)


REQUIRED = "NOT NULL"
TEXT = ("text", "NULL", None)
MOMENT = ("timestamp without time zone", "NULL", None)
STAMPED = ("timestamp without time zone", "NULL", NOW)
RECEIVED = ("timestamp without time zone", REQUIRED, NOW)
PARENT = integer(REQUIRED)

CONTRACT: dict[str, dict[str, tuple[Any, ...]]] = {
    "users": {
        "id": SERIAL,
        "email": varchar(255, REQUIRED),
        "hashed_password": varchar(255),
        "full_name": varchar(255, REQUIRED),
        "role": ("user_role", "NULL", "'USER'::user_role"),
        "auth_provider": ("auth_provider", "NULL", "'local'::auth_provider"),
        "keycloak_user_id": varchar(255),
        "role_override": boolean("false"),
        "is_active": boolean("true"),
        "created_at": STAMPED,
    },
    "nodes": {
        "id": SERIAL,
        "name": varchar(255, REQUIRED),
        "region": varchar(100, REQUIRED),
        "ip_address": varchar(45),
        "description": TEXT,
        "status": ("node_status", "NULL", "'INACTIVE'::node_status"),
        "api_key_hash": varchar(64),
        "last_heartbeat": MOMENT,
        "created_at": STAMPED,
    },
    "pools": {
        "id": SERIAL,
        "node_id": PARENT,
        "oracle_pool_id": varchar(255, REQUIRED),
        "name": varchar(255, REQUIRED),
        "region": varchar(100, REQUIRED),
        "min_instances": integer(default="1"),
        "max_instances": integer(default="10"),
        "current_instances": integer(default="1"),
        "status": ("pool_status", "NULL", "'healthy'::pool_status"),
        "created_at": STAMPED,
    },
    "metrics": {
        "id": BIG,
        "node_id": PARENT,
        "pool_id": integer(),
        "metric_type": varchar(100, REQUIRED),
        "value": double(REQUIRED),
        "unit": varchar(50, REQUIRED),
        "timestamp": STAMPED,
        "received_at": RECEIVED,
    },
    "schedules": {
        "id": SERIAL,
        "node_id": PARENT,
        "name": varchar(255, REQUIRED),
        "start_time": varchar(5, REQUIRED),
        "end_time": varchar(5, REQUIRED),
        "target_instances": integer(REQUIRED),
        "is_active": boolean("true"),
        "created_at": STAMPED,
    },
    "audit_logs": {
        "id": SERIAL,
        "user_id": integer(),
        "user_email": varchar(255),
        "user_role": varchar(50),
        "action": varchar(100, REQUIRED),
        "category": varchar(50, REQUIRED),
        "resource_type": varchar(100),
        "resource_id": varchar(255),
        "resource_name": varchar(255),
        "description": TEXT,
        "details": TEXT,
        "ip_address": varchar(45),
        "user_agent": TEXT,
        "status": varchar(20, default="'SUCCESS'::character varying"),
        "error_message": TEXT,
        "timestamp": STAMPED,
    },
    "node_configurations": {
        "id": SERIAL,
        "node_id": PARENT,
        "yaml_config": ("text", REQUIRED, None),
        "config_hash": varchar(64, REQUIRED),
        "is_active": boolean("true"),
        "created_at": STAMPED,
    },
    "node_heartbeats": {
        "id": BIG,
        "node_id": PARENT,
        "config_hash": varchar(64),
        "status": varchar(50, REQUIRED),
        "error_message": TEXT,
        "metrics_data": TEXT,
        "timestamp": STAMPED,
        "received_at": RECEIVED,
    },
    "node_lifecycle_logs": {
        "id": SERIAL,
        "node_id": PARENT,
        "event_type": varchar(50, REQUIRED),
        "previous_status": varchar(50),
        "new_status": varchar(50, REQUIRED),
        "reason": TEXT,
        "triggered_by": varchar(100),
        "extra_data": TEXT,
        "timestamp": STAMPED,
    },
    "pool_analytics": {
        "id": BIG,
        "pool_id": PARENT,
        "node_id": PARENT,
        "oracle_pool_id": varchar(255, REQUIRED),
        "timestamp": STAMPED,
        "current_instances": integer(REQUIRED),
        "active_instances": integer(REQUIRED),
        "avg_cpu_utilization": double(REQUIRED),
        "avg_memory_utilization": double(REQUIRED),
        "max_cpu_utilization": double(),
        "max_memory_utilization": double(),
        "pool_status": varchar(50, default="'healthy'::character varying"),
        "is_active": boolean("true"),
        "scaling_event": varchar(100),
        "scaling_reason": TEXT,
        "config_hash": varchar(64),
        "decision": ("jsonb", "NULL", None),
        "received_at": RECEIVED,
    },
    "system_analytics": {
        "id": SERIAL,
        "timestamp": STAMPED,
        "total_active_pools": integer(default="0"),
        "total_current_instances": integer(default="0"),
        "total_active_instances": integer(default="0"),
        "avg_system_cpu": double(default="0"),
        "avg_system_memory": double(default="0"),
        "max_system_cpu": double(default="0"),
        "max_system_memory": double(default="0"),
        "peak_instances_24h": integer(default="0"),
        "max_active_pools_24h": integer(default="0"),
        "active_nodes": integer(default="0"),
    },
}
ADDED_COLUMNS = {
    "pools": {"compartment_id", "mode", "retired_at", "last_analytics_at"},
    "schedules": {
        *("timezone", "days", "mode", "pools", "ready_early"),
        *("valid_from", "valid_until", "exceptions"),
    },
    "audit_logs": {"request_id", "actor_id"},
    "users": {"keycloak_issuer", "override_reason"},
    "node_configurations": {"generation", "rollback_of", "created_by", "created_by_email"},
}
ENUMS = {
    "user_role": ["USER", "DEVOPS", "ADMIN"],
    "auth_provider": ["local", "keycloak"],
    "node_status": ["ACTIVE", "INACTIVE", "ERROR", "OFFLINE"],
    "pool_status": ["healthy", "warning", "error"],
}
INDEXES = {
    "idx_metrics_node_timestamp": ("metrics", '(node_id, "timestamp")'),
    "idx_metrics_pool_timestamp": ("metrics", '(pool_id, "timestamp")'),
    "idx_audit_category": ("audit_logs", "(category)"),
    "idx_audit_timestamp": ("audit_logs", '("timestamp")'),
    "idx_audit_user": ("audit_logs", "(user_id)"),
    "idx_heartbeat_node_time": ("node_heartbeats", '(node_id, "timestamp")'),
    "idx_lifecycle_node": ("node_lifecycle_logs", "(node_id)"),
    "idx_lifecycle_time": ("node_lifecycle_logs", '("timestamp")'),
    "idx_pool_analytics_time": ("pool_analytics", '("timestamp")'),
    "idx_pool_analytics_pool": ("pool_analytics", "(pool_id)"),
    "idx_pool_analytics_node_timestamp": ("pool_analytics", '(node_id, "timestamp")'),
    "uq_node_configurations_active": ("node_configurations", "(node_id) WHERE is_active"),
}
UNIQUE = {
    *("users(email)", "users(keycloak_user_id)", "nodes(api_key_hash)", "pools(oracle_pool_id)"),
}
CASCADES = {
    *("pools.node_id -> nodes", "metrics.node_id -> nodes", "metrics.pool_id -> pools"),
    *("schedules.node_id -> nodes", "node_configurations.node_id -> nodes"),
    *("node_heartbeats.node_id -> nodes", "node_lifecycle_logs.node_id -> nodes"),
    *("pool_analytics.node_id -> nodes", "pool_analytics.pool_id -> pools"),
}
PARTITIONED = {"metrics", "node_heartbeats", "pool_analytics"}
ROLLED_UP = {"metrics_5m", "metrics_1h", "pool_analytics_5m", "pool_analytics_1h"}


def query(engine: Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def live_columns(engine: Engine, table: str) -> dict[str, tuple[Any, ...]]:
    rows = query(
        engine,
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, "
        "pg_get_expr(adbin, adrelid) FROM pg_attribute "
        "LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped",
    )
    return {
        name: (kind, REQUIRED if required else "NULL", _default(default))
        for name, kind, required, default in rows
    }


def _default(expression: str | None) -> str | None:
    if expression is None:
        return None
    return "nextval" if expression.startswith("nextval") else expression


@pytest.mark.parametrize("table", CONTRACT)
def test_columns_are_as_agreed(engine: Engine, table: str) -> None:
    live = live_columns(engine, table)
    added = ADDED_COLUMNS.get(table, set())
    assert {name: kind for name, kind in live.items() if name not in added} == CONTRACT[table]
    assert added <= live.keys()


def test_enums_are_as_agreed(engine: Engine) -> None:
    rows = query(
        engine,
        "SELECT typname, array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum "
        "JOIN pg_type t ON t.oid = enumtypid GROUP BY typname",
    )
    assert dict(rows) == ENUMS


def test_indexes_are_as_agreed(engine: Engine) -> None:
    live = {
        name: (table, on)
        for name, table, on in query(
            engine,
            "SELECT indexname, tablename, regexp_replace(indexdef, '^.* USING btree ', '') "
            "FROM pg_indexes WHERE schemaname = 'public'",
        )
    }
    assert {name: live.get(name) for name in INDEXES} == INDEXES


def test_keys_are_as_agreed(engine: Engine) -> None:
    rows = query(
        engine,
        "SELECT contype, conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype IN ('p', 'u') AND conparentid = 0",
    )
    primary = {table: definition for kind, table, definition in rows if kind == "p"}
    for table in CONTRACT:
        wanted = "PRIMARY KEY (id, received_at)" if table in PARTITIONED else "PRIMARY KEY (id)"
        assert primary[table] == wanted
    unique = {table + d.removeprefix("UNIQUE ") for kind, table, d in rows if kind == "u"}
    assert unique >= UNIQUE


def test_delete_rules_are_as_agreed(engine: Engine) -> None:
    rows = query(
        engine,
        "SELECT conrelid::regclass || '.' || attname || ' -> ' || confrelid::regclass, "
        "confdeltype::text FROM pg_constraint JOIN pg_attribute "
        "ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f' AND conparentid = 0",
    )
    rules = dict(rows)
    assert {name for name in CASCADES if rules.get(name) != "c"} == set()
    assert rules["audit_logs.user_id -> users"] == "n"


def test_history_is_partitioned_by_receipt(engine: Engine) -> None:
    rows = query(
        engine,
        "SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid) FROM pg_partitioned_table",
    )
    rolled_up = dict.fromkeys(ROLLED_UP, "RANGE (bucket)")
    assert dict(rows) == dict.fromkeys(PARTITIONED, "RANGE (received_at)") | rolled_up


def test_statements_are_written_against_the_same_tables(engine: Engine) -> None:
    assert tables_enrolment.enrolment_tokens in metadata.tables.values()
    assert {tables_history.metrics, tables_support.node_state, tables_people.audit_links} <= set(
        metadata.tables.values()
    )
    assert tables_rollup.pool_analytics_5m in metadata.tables.values()
    assert tables_orders.rollouts in metadata.tables.values()
    partition = r"_20\d{6}$"
    days = {
        name
        for (name,) in query(
            engine, f"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '{partition}'"
        )
    }

    def _is_parent(name: str | None, kind: str, parents: Any) -> bool:
        table = name if kind == "table" else parents.get("table_name")
        return table not in days and table != "alembic_version"

    with engine.connect() as connection:
        options = {"compare_type": True, "include_name": _is_parent}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_whatever_was_added_is_explained(engine: Engine) -> None:
    words = set(re.findall(r"[a-z0-9_]+", (DOCS / "schema.md").read_text(encoding="utf-8")))
    tables = query(
        engine,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
        "AND relnamespace = 'public'::regnamespace",
    )
    assert {name for (name,) in tables} - words == set()
    assert set().union(*ADDED_COLUMNS.values()) - words == set()


# time zones ------------------------------------------------------------------------------------


@pytest.fixture
def kolkata() -> Iterator[postgres.Cluster]:
    with postgres.cluster({**postgres.FAST, "timezone": "Asia/Kolkata"}) as running:
        yield running


@pytest.mark.slow
def test_times_are_utc_on_a_server_that_lives_elsewhere(kolkata: postgres.Cluster) -> None:
    url = kolkata.empty_database()
    address = url.replace("+psycopg2", "")
    engine = open_engine(url)
    check_server(engine)
    migrate(engine)
    ensure_partitions(engine)
    with engine.begin() as connection:
        insert = "INSERT INTO nodes (name, region) VALUES ('n', 'r') RETURNING created_at"
        created = connection.execute(text(insert)).scalar_one()
        utc = connection.execute(text("SELECT now() AT TIME ZONE 'UTC'")).scalar_one()
    assert created == utc
    engine.dispose()
    with contextlib.closing(psycopg2.connect(address)) as bare, bare.cursor() as cursor:
        cursor.execute("SHOW timezone")  # a session that sets nothing agrees since the migration
        assert cursor.fetchone() == ("UTC",)


def test_a_session_that_is_not_utc_is_refused(engine: Engine) -> None:
    with engine.connect() as connection:  # as a proxy between us and the server would do it
        connection.exec_driver_sql("SET TIME ZONE 'Asia/Kolkata'")
        connection.commit()
    with pytest.raises(StartError, match="Asia/Kolkata, not UTC"):
        check_server(engine)


# migrations ------------------------------------------------------------------------------------


def test_an_empty_database_is_refused_until_it_is_migrated(cluster: postgres.Cluster) -> None:
    engine = open_engine(cluster.empty_database())
    with pytest.raises(StartError, match="run `poolkeeper central migrate` first"):
        require_current(engine)
    migrate(engine)
    require_current(engine)
    migrate(engine)
    engine.dispose()


def test_a_newer_database_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartError, match="upgrade central first"):
        require_current(engine)


def test_replicas_may_migrate_at_the_same_time(cluster: postgres.Cluster) -> None:
    engine = open_engine(cluster.empty_database())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate(engine), range(4)))
    require_current(engine)
    engine.dispose()


# the audit trail -------------------------------------------------------------------------------

AUDIT = "INSERT INTO audit_logs (user_id, action, category) VALUES (1, 'LOGIN', 'AUTH')"
FORBIDDEN = [
    "UPDATE audit_logs SET action = 'NOTHING'",
    "UPDATE audit_logs SET user_id = NULL, action = 'NOTHING'",
    "DELETE FROM audit_logs",
    "TRUNCATE audit_logs",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_audit_rows_cannot_be_changed(engine: Engine, statement: str) -> None:
    _with_an_audited_user(engine)
    with pytest.raises(DBAPIError, match="insert-only"), engine.begin() as connection:
        connection.execute(text(statement))
    assert query(engine, "SELECT action FROM audit_logs") == [("LOGIN",)]


def test_audit_rows_outlive_their_user(engine: Engine) -> None:
    _with_an_audited_user(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM users"))
    assert query(engine, "SELECT user_id, action FROM audit_logs") == [(None, "LOGIN")]


def _with_an_audited_user(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users (email, full_name) VALUES ('a@b', 'A')"))
        connection.execute(text(AUDIT))
