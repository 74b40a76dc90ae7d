"""`demand`: size for a nearest-rank percentile of recent demand, if enough of it is known."""

import pytest

from shared.engine.model import Reading
from tests.engine_worlds import ago, cpu, plan, queue, seen, series, vote_of, wanted, watched

TEN = {"percentile": 90, "window": "10m"}
CALM, HIGH, LOW = 60.0, 90.0, 30.0

# windows newest first (None: missing), percentile of the ten last -> wanted of a pool of ten, code
COVERED: dict[str, tuple[list[object], int, int, str]] = {
    "one peak in ten is not the 90th percentile": (
        [HIGH, *[CALM] * 9], 90, 10, "demand_percentile",
    ),
    "two peaks in ten are": ([*[CALM] * 8, HIGH, HIGH], 90, 15, "demand_percentile"),
    "the 100th percentile is the largest": ([*[CALM] * 9, 72], 100, 12, "demand_percentile"),
    "the 1st percentile is the smallest": ([*[CALM] * 9, LOW], 1, 5, "demand_percentile"),
    "the 50th of ten is the fifth": ([20, 22, 24, 26, 28, *[CALM] * 5], 50, 5, "demand_percentile"),
    "five of ten are enough to grow": ([HIGH] * 5, 90, 15, "demand_percentile"),
    "four of ten are not, but the newest may grow": ([HIGH] * 4, 90, 15, "demand_incomplete"),
    "four of ten, newest calm: stay": ([CALM, *[HIGH] * 3], 90, 10, "demand_incomplete"),
    "eight of ten are enough to shrink": ([LOW] * 8, 90, 5, "demand_percentile"),
    "seven of ten are not": ([LOW] * 7, 90, 10, "demand_incomplete"),
    "seven of ten, newest high: it may grow": ([HIGH, *[LOW] * 6], 50, 15, "demand_incomplete"),
    "holes count as missing, wherever they are": (
        [LOW, None, LOW, LOW, None, LOW, LOW, LOW, None, LOW], 90, 10, "demand_incomplete",
    ),
    "windows before the ten do not count": ([*[LOW] * 10, HIGH, HIGH], 90, 5, "demand_percentile"),
    "inside the tolerance: stay": ([66.0] * 10, 90, 10, "demand_percentile"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "percentile", "need", "code"), COVERED.values(), ids=COVERED.keys()
)
def test_half_the_windows_grow_and_eight_in_ten_shrink(
    values: list[object], percentile: int, need: int, code: str
) -> None:
    web = plan(cpu(demand={"percentile": percentile, "window": "10m"}))
    vote = vote_of(web, seen(cpu=series(*values)))
    assert (wanted(vote), vote.reason.code) == (need, code)


def test_each_window_counts_the_instances_of_its_time() -> None:
    """Ten minutes at 60 % on 5 and then 30 % on 10 are the same demand."""
    web = plan(cpu(demand=TEN))
    points = [(ago(2 + i), 30.0, 10) if i < 5 else (ago(2 + i), 60.0, 5) for i in range(10)]
    (at, value, count), *older = points
    reading = Reading(value, at, count, None, tuple(older))
    grew = watched(web, 10, counts=((ago(60), 5), (ago(7), 10)))
    assert wanted(vote_of(web, seen(10, cpu=reading), grew)) == 5


def test_members_that_ran_in_silence_count_like_the_others_when_shrinking() -> None:
    web = plan(cpu(demand=TEN))
    quiet = series(*[30] * 10, samples=5)
    assert wanted(vote_of(web, seen(10, cpu=quiet))) == 5  # 10 ran, 5 reported 30 %
    loud = series(*[90] * 10, samples=5)
    assert wanted(vote_of(web, seen(10, cpu=loud))) == 10  # 5 × 90 needs 8, 10 × 90 would need 15


def test_without_counts_the_running_count_of_its_time_is_used() -> None:
    web = plan(cpu(demand=TEN))
    grew = watched(web, 10, counts=((ago(60), 5), (ago(6.5), 10)))
    reading = series(*[30] * 5, *[60] * 5)
    assert wanted(vote_of(web, seen(10, cpu=reading), grew)) == 5


def test_a_window_with_two_counts_counts_low_to_grow_and_high_to_shrink() -> None:
    web = plan(cpu(demand={"percentile": 100, "window": "10m"}))
    flapped = watched(web, 8, counts=((ago(60), 8), (ago(4.8), 2), (ago(4.2), 8)))
    peak = [40, 40, 90, *[40] * 7]  # the window that ended 4 min ago ran on 2 to 8
    assert wanted(vote_of(web, seen(8, cpu=series(*peak)), flapped)) == 8
    assert wanted(vote_of(web, seen(8, cpu=series(*[30] * 10)), flapped)) == 4


def test_demand_of_totals_is_the_percentile_itself() -> None:
    backlog = plan(queue(demand=TEN))
    calm = [500.0] * 8
    assert wanted(vote_of(backlog, seen(5, queue=series(*calm, 900, 900)))) == 9
    assert wanted(vote_of(backlog, seen(5, queue=series(*calm, 500, 900)))) == 5
    assert wanted(vote_of(backlog, seen(9, queue=series(*calm, 500, 900)))) == 5


def test_longer_metric_windows_fill_the_demand_window_with_fewer() -> None:
    web = plan(cpu(interval="5m", demand={"percentile": 90, "window": "20m"}), stale_after="15m")
    points = tuple((ago(2 + 5 * i), 30.0, 10) for i in range(4))
    four = Reading(30.0, ago(2), 10, None, points[1:])
    three = Reading(30.0, ago(2), 10, None, points[1:3])  # 75 %
    assert wanted(vote_of(web, seen(10, cpu=four))) == 5
    assert wanted(vote_of(web, seen(10, cpu=three))) == 10
