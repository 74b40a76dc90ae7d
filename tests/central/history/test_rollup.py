"""Roll-ups: right, right again when repeated, mended by what comes late, and nobody's but ours."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from central.history.rollup import ROLLUP_LOCK, _step, roll_up
from central.history.rollup_sql import ROLLUPS

BASE = "date_trunc('hour', now()::timestamp) - interval '2 hours'"
NAN = float("nan")


def run(engine: Engine, statement: str, **values: Any) -> list[dict[str, Any]]:
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


@pytest.fixture
def engine(engine: Engine) -> Engine:
    run(engine, "INSERT INTO nodes (name, region) VALUES ('n1', 'r')")
    run(
        engine,
        "INSERT INTO pools (node_id, oracle_pool_id, name, region) VALUES (1, 'ocid', 'web', 'r')",
    )
    return engine


def seen(engine: Engine, minute: float, size: int = 3, cpu: float = 50.0, **more: Any) -> None:
    """A row of pool_analytics, two hours and some minutes ago, received just now."""
    values = {"event": None, "running": size, "memory": NAN, "peak": None, **more}
    run(
        engine,
        "INSERT INTO pool_analytics (pool_id, node_id, oracle_pool_id, timestamp, "
        "current_instances, active_instances, avg_cpu_utilization, avg_memory_utilization, "
        "max_cpu_utilization, scaling_event) VALUES (1, 1, 'ocid', "
        f"{BASE} + make_interval(secs => :at), :size, :running, :cpu, :memory, :peak, :event)",
        at=minute * 60,
        size=size,
        cpu=cpu,
        **values,
    )


def measured(engine: Engine, minute: float, value: float, pool: int | None = None) -> None:
    run(
        engine,
        "INSERT INTO metrics (node_id, pool_id, metric_type, value, unit, timestamp) VALUES "
        f"(1, :pool, 'node_load', :value, 'load', {BASE} + make_interval(secs => :at))",
        at=minute * 60,
        value=value,
        pool=pool,
    )


def buckets(engine: Engine, table: str) -> list[dict[str, Any]]:
    return run(engine, f"SELECT *, bucket - ({BASE}) AS after FROM {table} ORDER BY bucket")


def test_a_bucket_has_minimum_maximum_mean_last_and_how_much_was_known(engine: Engine) -> None:
    for minute, size, cpu in [(0, 4, 40.0), (1, 2, NAN), (4.99, 6, 80.0), (5, 9, 10.0)]:
        seen(engine, minute, size, cpu, peak=cpu)
    roll_up(engine)
    first, second = buckets(engine, "pool_analytics_5m")
    assert (first["after"], second["after"]) == (timedelta(0), timedelta(minutes=5))
    sizes = [first[f"current_{what}"] for what in ("min", "max", "avg", "last")]
    assert (first["samples"], sizes) == (3, [2, 6, 4, 6])
    cpu_values = [first[f"cpu_{what}"] for what in ("count", "min", "max", "avg", "last", "peak")]
    assert cpu_values == [2, 40, 80, 60, 80, 80]
    memory = [first[f"memory_{what}"] for what in ("count", "min", "avg", "last", "peak")]
    assert memory == [0, None, None, None, None]
    assert (second["samples"], second["current_last"], second["cpu_avg"]) == (1, 9, 10)


def test_an_hour_weighs_its_buckets_by_what_they_knew(engine: Engine) -> None:
    for minute, size, cpu in [(0, 1, 10.0), (1, 1, 10.0), (2, 1, 10.0), (7, 5, 90.0), (59, 3, NAN)]:
        seen(engine, minute, size, cpu)
    seen(engine, 61, 8, 20.0)
    roll_up(engine)
    hour, following = buckets(engine, "pool_analytics_1h")
    assert (hour["samples"], hour["current_min"], hour["current_max"]) == (5, 1, 5)
    assert hour["current_avg"] == pytest.approx(11 / 5)
    assert (hour["current_last"], hour["cpu_count"], hour["cpu_avg"]) == (3, 4, 30)
    assert hour["cpu_last"] == 90  # the newest that was known
    assert following["current_last"] == 8


def test_metrics_go_by_series(engine: Engine) -> None:
    for minute, value, pool in [(0, 1.0, None), (1, 3.0, None), (1, 7.0, 1), (2, NAN, 1)]:
        measured(engine, minute, value, pool)
    roll_up(engine)
    for table in ("metrics_5m", "metrics_1h"):
        rows = run(
            engine,
            "SELECT node_id, pool_id, metric_type, unit, samples, value_count, value_avg, "
            f"value_last FROM {table} ORDER BY pool_id",
        )
        assert [tuple(row.values()) for row in rows] == [
            (1, 0, "node_load", "load", 2, 2, 2.0, 3.0),
            (1, 1, "node_load", "load", 2, 1, 7.0, 7.0),
        ]


def test_a_repeated_pass_changes_nothing(engine: Engine) -> None:
    for minute in range(12):
        seen(engine, minute, minute + 1)
        measured(engine, minute, minute)
    roll_up(engine)
    tables = ("pool_analytics_5m", "pool_analytics_1h", "metrics_5m", "metrics_1h")
    before = [buckets(engine, table) for table in tables]
    assert [len(rows) for rows in before] == [3, 1, 3, 1]
    run(engine, "DELETE FROM rollup_state")  # as if it had never run
    roll_up(engine)
    assert [buckets(engine, table) for table in tables] == before


def test_what_comes_late_mends_the_past(engine: Engine) -> None:
    seen(engine, 0, 2)
    roll_up(engine)
    seen(engine, 1, 10)
    seen(engine, -60 * 24 * 5, 7)  # five days old: its outbox had waited
    roll_up(engine)
    old, mended = buckets(engine, "pool_analytics_5m")
    assert (old["current_last"], old["after"]) == (7, timedelta(days=-5))
    assert (mended["samples"], mended["current_max"]) == (2, 10)
    assert len(buckets(engine, "pool_analytics_1h")) == 2


@pytest.mark.parametrize(("days", "counts"), [(6.9, 1), (7.1, 0), (-0.9, 1), (-1.2, 0)])
def test_clocks_may_be_wrong_within_bounds(engine: Engine, days: float, counts: int) -> None:
    seen(engine, 0)
    run(
        engine,
        "UPDATE pool_analytics SET timestamp = now()::timestamp - make_interval(secs => :secs)",
        secs=days * 86400,
    )
    roll_up(engine)
    assert len(buckets(engine, "pool_analytics_5m")) == counts


def test_a_backlog_is_worked_off_in_one_call(engine: Engine) -> None:
    day = run(engine, "SELECT now()::date - 2 AS day")[0]["day"]
    run(
        engine,
        f"CREATE TABLE pool_analytics_{day:%Y%m%d} PARTITION OF pool_analytics "
        f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')",
    )
    for hour in range(0, 24, 5):
        seen(engine, 0)
        run(
            engine,
            "UPDATE pool_analytics SET timestamp = CAST(:day AS date) + make_interval(hours => :h),"
            " received_at = CAST(:day AS date) + make_interval(hours => :h) "
            "WHERE received_at > now()::timestamp - interval '1 hour'",
            day=day,
            h=hour,
        )
    roll_up(engine)
    hours = [row["bucket"].hour for row in buckets(engine, "pool_analytics_1h")]
    assert hours == [0, 5, 10, 15, 20]
    done = run(engine, "SELECT now()::timestamp - min(done_until) AS behind FROM rollup_state")
    assert done[0]["behind"] < timedelta(seconds=30)


def test_another_replica_that_is_at_it_is_left_alone(engine: Engine) -> None:
    seen(engine, 0)
    with engine.begin() as connection:
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        connection.execute(lock, {"key": ROLLUP_LOCK})
        assert roll_up(engine) == 0
    assert buckets(engine, "pool_analytics_5m") == []
    assert roll_up(engine) == 2


def test_resizes_are_kept_in_a_table_of_their_own(engine: Engine) -> None:
    seen(engine, 0, 2)
    seen(engine, 1, 3, event="scale_out")
    roll_up(engine)
    roll_up(engine)
    (kept,) = run(engine, "SELECT * FROM scaling_events")
    (original,) = run(engine, "SELECT * FROM pool_analytics WHERE scaling_event IS NOT NULL")
    assert str(kept) == str({name: original[name] for name in kept})  # NaN equals nothing


def test_deleting_a_node_takes_its_roll_ups(engine: Engine) -> None:
    seen(engine, 0, event="scale_in")
    measured(engine, 0, 1.0)
    roll_up(engine)
    run(engine, "DELETE FROM nodes")
    for table in ("pool_analytics_5m", "pool_analytics_1h", "metrics_5m", "metrics_1h"):
        assert buckets(engine, table) == []
    assert run(engine, "SELECT * FROM scaling_events") == []


def test_a_pass_that_needs_a_new_partition_does_not_hold_heartbeats_up(engine: Engine) -> None:
    seen(engine, 0)
    run(engine, "INSERT INTO rollup_state SELECT 'pool_analytics_5m', now() - interval '1 hour'")
    rollup = next(each for each in ROLLUPS if each.table == "pool_analytics_5m")
    with engine.connect() as passing, passing.begin():
        assert _step(passing, rollup) == (1, True)  # and not committed yet
        with engine.begin() as ingest:
            ingest.execute(text("SET LOCAL lock_timeout = '2s'"))
            ingest.execute(text("UPDATE nodes SET last_heartbeat = now()"))
            ingest.execute(text("UPDATE pools SET current_instances = 4"))
    assert len(buckets(engine, "pool_analytics_5m")) == 1
