"""The fleet at a moment, once per five minutes whoever writes it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from central.history.rollup import roll_up
from central.history.system import record_system

POOL = (
    "INSERT INTO pools (node_id, oracle_pool_id, name, region, mode, current_instances, "
    "last_analytics_at, retired_at) VALUES (1, :name, :name, 'r', :mode, :size, "
    "CASE WHEN :heard THEN now() END, CASE WHEN :retired THEN now() END)"
)
SEEN = (
    "INSERT INTO pool_analytics (pool_id, node_id, oracle_pool_id, timestamp, current_instances, "
    "active_instances, avg_cpu_utilization, avg_memory_utilization, max_cpu_utilization) "
    "SELECT id, 1, name, now(), current_instances, :active, :cpu, 'NaN', :peak FROM pools "
    "WHERE name = :name"
)


def run(engine: Engine, statement: str, **values: Any) -> list[dict[str, Any]]:
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


@pytest.fixture
def engine(engine: Engine) -> Engine:
    run(engine, "INSERT INTO nodes (name, region, status) VALUES ('n1', 'r', 'ACTIVE')")
    run(engine, "INSERT INTO nodes (name, region, status) VALUES ('n2', 'r', 'OFFLINE')")
    return engine


def pool(engine: Engine, name: str, size: int, **more: Any) -> None:
    values = {"mode": "active", "heard": True, "retired": False, **more}
    run(engine, POOL, name=name, size=size, **values)


def newest(engine: Engine) -> dict[str, Any]:
    return run(engine, "SELECT * FROM system_analytics ORDER BY timestamp DESC LIMIT 1")[0]


def test_an_idle_fleet_has_zeros_and_unknown_utilisation(engine: Engine) -> None:
    assert record_system(engine)
    row = newest(engine)
    assert (row["total_active_pools"], row["total_current_instances"], row["active_nodes"]) == (
        *(0, 0, 1),
    )
    assert [row[f"{what}_system_{of}"] for what in ("avg", "max") for of in ("cpu", "memory")] == [
        None
    ] * 4


def test_utilisation_is_a_mean_over_instances(engine: Engine) -> None:
    pool(engine, "a", 3)
    pool(engine, "b", 2)
    pool(engine, "silent", 4)
    pool(engine, "observed", 1, mode="observe")
    pool(engine, "never", 5, heard=False)
    pool(engine, "gone", 9, retired=True)
    run(engine, SEEN, name="a", active=3, cpu=20.0, peak=95.0)
    run(engine, SEEN, name="b", active=1, cpu=60.0, peak=70.0)
    run(engine, SEEN, name="observed", active=1, cpu=float("nan"), peak=None)
    roll_up(engine)
    assert record_system(engine)
    row = newest(engine)
    assert (row["total_active_pools"], row["total_current_instances"]) == (4, 10)
    assert (row["total_active_instances"], row["avg_system_cpu"]) == (5, 30)
    assert (row["max_system_cpu"], row["avg_system_memory"]) == (95, None)


def test_peaks_are_of_the_last_day(engine: Engine) -> None:
    pool(engine, "a", 3)
    for hours, size in ((25, 99), (23, 12)):
        run(
            engine,
            "INSERT INTO system_analytics (timestamp, total_current_instances, total_active_pools) "
            "VALUES (now()::timestamp - make_interval(hours => :hours), :size, :size)",
            hours=hours,
            size=size,
        )
    assert record_system(engine)
    row = newest(engine)
    assert (row["peak_instances_24h"], row["max_active_pools_24h"]) == (12, 12)
    assert row["total_current_instances"] == 3


def test_five_minutes_have_one_row_whoever_writes_it(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool_of_threads:
        done = list(pool_of_threads.map(lambda _: record_system(engine), range(8)))
    assert 1 <= sum(done) <= 2  # two when the five minutes ended meanwhile
    slots = run(engine, "SELECT timestamp, count(*) AS n FROM system_analytics GROUP BY 1")
    assert {row["n"] for row in slots} == {1}
