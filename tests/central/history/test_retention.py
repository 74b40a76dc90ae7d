"""Retention: what is past its time goes, what is not stays, and nothing goes unread."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, text

from central.database import open_engine
from central.history.retention import BY_PARTITION, forget
from central.history.spans import MONTHLY, Span, ensure_spans, span_of


@pytest.fixture
def today(engine: Engine) -> date:
    with engine.connect() as connection:
        day: date = connection.execute(text("SELECT now()::date")).scalar_one()
        return day


def make(engine: Engine, table: str, day: date) -> str:
    with engine.begin() as connection:
        ensure_spans(connection, table, [day])
    return span_of(table, day).name


def exists(engine: Engine, name: str) -> bool:
    with engine.connect() as connection:
        return connection.execute(text("SELECT to_regclass(:n)"), {"n": name}).scalar() is not None


def change(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def rolled_up(engine: Engine, until: str = "now()") -> None:
    change(
        engine,
        f"INSERT INTO rollup_state (name, done_until) SELECT name, {until} FROM unnest(ARRAY["
        "'metrics_5m', 'metrics_1h', 'pool_analytics_5m', 'pool_analytics_1h']) AS name",
    )


SPANS = [
    ("metrics", date(2026, 2, 28), date(2026, 2, 28), date(2026, 3, 1)),
    ("metrics_5m", date(2025, 12, 31), date(2025, 12, 31), date(2026, 1, 1)),
    ("metrics_1h", date(2026, 2, 28), date(2026, 2, 1), date(2026, 3, 1)),
    ("pool_analytics_1h", date(2025, 12, 31), date(2025, 12, 1), date(2026, 1, 1)),
    ("pool_analytics_1h", date(2024, 2, 29), date(2024, 2, 1), date(2024, 3, 1)),
]


@pytest.mark.parametrize(("table", "day", "first", "end"), SPANS)
def test_spans_are_days_or_months(table: str, day: date, first: date, end: date) -> None:
    span = span_of(table, day)
    assert (span, span.end) == (Span(table, first), end)
    assert span.name == f"{table}_{first:%Y%m%d}"


@pytest.mark.parametrize("table", [t for t in BY_PARTITION if t not in MONTHLY])
def test_a_partition_goes_when_its_last_moment_is_old_enough(
    engine: Engine, today: date, table: str
) -> None:
    rolled_up(engine)
    days = {"metrics_5m": 90, "pool_analytics_5m": 90}.get(table, 14)
    expired = make(engine, table, today - timedelta(days=days + 1))
    kept = make(engine, table, today - timedelta(days=days))
    assert forget(engine) == [expired]
    assert (exists(engine, expired), exists(engine, kept)) == (False, True)
    assert forget(engine) == []


def test_raw_history_waits_for_its_roll_ups(engine: Engine, today: date) -> None:
    names = [make(engine, t, today - timedelta(days=40)) for t in ("metrics", "pool_analytics")]
    beats = make(engine, "node_heartbeats", today - timedelta(days=40))
    assert forget(engine) == [beats]  # no roll-up has read the others
    rolled_up(engine, f"'{today - timedelta(days=40)}'")
    change(engine, "UPDATE rollup_state SET done_until = now() WHERE name = 'metrics_5m'")
    assert forget(engine) == []  # the hours have not seen that day yet
    change(engine, "UPDATE rollup_state SET done_until = now() WHERE name LIKE 'metrics%'")
    assert forget(engine) == names[:1]


def test_the_policy_is_a_setting(engine: Engine, today: date) -> None:
    change(engine, "UPDATE retention_policy SET days = 30 WHERE kind = 'node_heartbeats'")
    expired = make(engine, "node_heartbeats", today - timedelta(days=31))
    kept = make(engine, "node_heartbeats", today - timedelta(days=30))
    assert forget(engine) == [expired]
    assert exists(engine, kept)


def test_a_drop_that_was_interrupted_is_finished(engine: Engine, today: date) -> None:
    name = make(engine, "node_heartbeats", today - timedelta(days=20))
    change(engine, f"ALTER TABLE node_heartbeats DETACH PARTITION {name}")
    assert forget(engine) == [name]


def test_a_partition_in_use_stays_until_it_is_free(
    engine: Engine, database_url: str, today: date
) -> None:
    name = make(engine, "node_heartbeats", today - timedelta(days=20))
    other = open_engine(database_url)
    with other.begin() as connection:
        connection.execute(text(f"SELECT count(*) FROM {name}"))
        assert forget(engine) == []
    other.dispose()
    assert forget(engine) == [name]
    assert not exists(engine, name)


def test_rows_go_from_the_tables_without_partitions(engine: Engine) -> None:
    change(engine, "INSERT INTO nodes (name, region) VALUES ('n1', 'r')")
    change(
        engine,
        "INSERT INTO node_lifecycle_logs (node_id, event_type, new_status, timestamp) "
        "SELECT 1, 'ACTIVATED', 'ACTIVE', now() - make_interval(days => d) "
        "FROM unnest(ARRAY[1, 729, 731, 900]) AS d",
    )
    change(
        engine,
        "INSERT INTO system_analytics (timestamp) SELECT now() - make_interval(days => d) "
        "FROM unnest(ARRAY[1, 731]) AS d",
    )
    forget(engine)
    with engine.connect() as connection:
        for table, count in (("node_lifecycle_logs", 2), ("system_analytics", 1)):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == count
