"""Array literals mean to PostgreSQL what the values were."""

import math

import psycopg2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from central.ingest.arrays import columns

texts = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.none() | st.floats(allow_nan=True, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(texts, numbers, st.booleans()), min_size=1, max_size=20))
def test_what_goes_in_comes_out(
    engine: Engine, rows: list[tuple[str | None, float | None, bool]]
) -> None:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        statement = "SELECT * FROM unnest(%s::text[], %s::float8[], %s::bool[])"
        cursor.execute(statement, columns("tpp", rows))
        found = cursor.fetchall()
    except psycopg2.Error:
        connection.invalidate()
        raise
    finally:
        connection.close()
    assert [_comparable(row) for row in found] == [_comparable(row) for row in rows]


def _comparable(row: tuple[str | None, float | None, bool]) -> tuple[object, ...]:
    text, number, flag = row
    return text, "NaN" if number is not None and math.isnan(number) else number, flag
