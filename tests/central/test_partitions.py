"""Daily partitions: made ahead, once, whoever asks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from central.partitions import PARTITIONED, ensure_partitions

INSERT = (
    "INSERT INTO metrics (node_id, metric_type, value, unit, received_at) "
    "VALUES (1, 'node_cpu', 1, 'percent', (now() AT TIME ZONE 'UTC') + :ahead)"
)


def drop_all(engine: Engine) -> None:
    with engine.begin() as connection:
        names = connection.execute(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_20[0-9]{6}$'")
        ).scalars()
        for name in list(names):
            connection.execute(text(f"DROP TABLE {name}"))


def test_a_week_is_made_ahead_for_each_table(engine: Engine) -> None:
    drop_all(engine)
    made = ensure_partitions(engine)
    assert len(made) == 8 * len(PARTITIONED)
    assert ensure_partitions(engine) == []


def test_replicas_do_not_trip_over_each_other(engine: Engine) -> None:
    drop_all(engine)
    with ThreadPoolExecutor(4) as pool:
        made = [
            name
            for names in pool.map(lambda _: ensure_partitions(engine), range(4))
            for name in names
        ]
    assert len(made) == len(set(made)) == 8 * len(PARTITIONED)


@pytest.mark.parametrize("days", [0, 1, 6])
def test_rows_of_the_coming_days_find_their_place(engine: Engine, days: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO nodes (name, region) VALUES ('n', 'r')"))
        connection.execute(text(INSERT), {"ahead": timedelta(days=days)})
        home = connection.execute(text("SELECT tableoid::regclass::text FROM metrics")).scalar_one()
        day = connection.execute(
            text("SELECT to_char((now() AT TIME ZONE 'UTC') + :a, 'YYYYMMDD')"),
            {"a": timedelta(days=days)},
        ).scalar_one()
    assert home == f"metrics_{day}"


def test_beyond_them_a_row_is_refused_not_lost(engine: Engine) -> None:
    with pytest.raises(IntegrityError, match="no partition"), engine.begin() as connection:
        connection.execute(text(INSERT), {"ahead": timedelta(days=9)})


def test_a_partition_carries_the_parents_indexes_and_rules(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO nodes (name, region) VALUES ('n', 'r')"))
        connection.execute(text(INSERT), {"ahead": timedelta(0)})
        connection.execute(text("DELETE FROM nodes"))
        assert connection.execute(text("SELECT count(*) FROM metrics")).scalar_one() == 0
        indexes = connection.execute(
            text(
                "SELECT count(*) FROM pg_indexes WHERE tablename ~ '^metrics_20' "
                "AND indexdef LIKE '%(node_id, \"timestamp\")'"
            )
        ).scalar_one()
    assert indexes == 8
