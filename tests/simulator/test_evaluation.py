"""Windows, stamps and statistics without HTTP."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mql import Statistic, parse
from simulator.evaluation import Evaluator
from simulator.selection import Grid
from simulator.statistics import compute, nearest_rank
from simulator.streams import Points, Stream, stored
from tests.oci_world import NOON

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

GRIDS: dict[str, tuple[Grid, list[float]]] = {
    "start in, end out": (Grid(NOON, NOON + 3 * MINUTE, MINUTE), [0, 1, 2]),
    "odd start": (Grid(NOON + SECOND, NOON + 3 * MINUTE, MINUTE), [1, 2]),
    "odd end": (Grid(NOON, NOON + 2 * MINUTE + SECOND, MINUTE), [0, 1, 2]),
    "between two stamps": (Grid(NOON + SECOND, NOON + 2 * SECOND, MINUTE), []),
    "aligned to the resolution": (Grid(NOON - MINUTE, NOON + 9 * MINUTE, 5 * MINUTE), [0, 5]),
    "a day begins at midnight": (Grid(NOON - 1440 * MINUTE, NOON, 1440 * MINUTE), [-720]),
}


@pytest.mark.parametrize(("grid", "minutes"), GRIDS.values(), ids=GRIDS.keys())
def test_stamps(grid: Grid, minutes: list[float]) -> None:
    assert grid.stamps() == [NOON + n * MINUTE for n in minutes]


STATISTICS: dict[str, tuple[Statistic, float | None]] = {
    "mean": (Statistic("mean"), 20),
    "sum": (Statistic("sum"), 60),
    "count": (Statistic("count"), 3),
    "min": (Statistic("min"), 10),
    "max": (Statistic("max"), 30),
    "first": (Statistic("first"), 30),
    "last": (Statistic("last"), 20),
    "increment": (Statistic("increment"), 15),
    "rate": (Statistic("rate"), 0.25),
    "median": (Statistic("percentile", 0.5), 20),
    "p90": (Statistic("percentile", 0.9), 30),
    "absent": (Statistic("absent"), 0),
}


@pytest.mark.parametrize(("statistic", "value"), STATISTICS.values(), ids=STATISTICS.keys())
def test_a_statistic_of_a_window(statistic: Statistic, value: float) -> None:
    assert compute(statistic, [30, 10, 20], [1, 5], 60) == value


def test_a_window_without_points_has_no_value() -> None:
    names = ["mean", "sum", "count", "min", "max", "first", "last", "increment", "rate"]
    assert {compute(Statistic(name), [], [1], 60) for name in names} == {None}
    assert compute(Statistic("absent"), [], [], 60) == 1
    assert compute(Statistic("increment"), [1], [], 60) is None


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50), st.floats(0.001, 0.999))
def test_a_percentile_is_one_of_the_values_and_covers_its_share(
    values: list[float], fraction: float
) -> None:
    found = nearest_rank(values, fraction)
    assert found in values
    assert sum(value <= found for value in values) >= fraction * len(values) - 1e-9


def evaluate(query: str, points: Points) -> dict[datetime, float]:
    stream = Stream("n", "Depth", "c", "r", {}, stored(points))
    evaluator = Evaluator(
        Grid(NOON, NOON + 10 * MINUTE, MINUTE),
        lambda _: [stream],
        lambda found, start, end: found.read(start, end),
    )
    found = evaluator.evaluate(parse(query).expression)
    return found[0].values if found else {}


def test_a_point_on_the_minute_belongs_to_the_window_that_begins_there() -> None:
    assert evaluate("Depth[1m].max()", [(NOON, 5.0)]) == {NOON + MINUTE: 5.0}


def test_a_gap_is_an_absence() -> None:
    points = [(NOON, 1.0), (NOON + 4 * MINUTE, 2.0)]
    assert evaluate("Depth[1m].sum()", points) == {NOON + MINUTE: 1, NOON + 5 * MINUTE: 2}


def test_absent_speaks_for_a_stream_that_is_known() -> None:
    values = evaluate("Depth[1m].absent()", [(NOON, 1.0)])
    assert [values[NOON + n * MINUTE] for n in (0, 1, 2)] == [1, 0, 1]
    assert evaluate("Depth[1m].absent()", []) == {}


@given(st.lists(st.tuples(st.integers(0, 599), st.floats(-1e6, 1e6)), max_size=40))
def test_windows_neither_lose_nor_double_a_point(raw: list[tuple[int, float]]) -> None:
    points = sorted((NOON + n * SECOND, value) for n, value in raw if n < 540)
    counted = evaluate("Depth[1m].count()", points)
    assert sum(counted.values()) == len(points)
    for at, count in counted.items():
        assert count == sum(at - MINUTE <= when < at for when, _ in points)
