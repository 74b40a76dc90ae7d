"""Target tracking: the need is ceil(value × n / target), n being who produced the value."""

import pytest

from shared.engine.model import Observation, Reading
from tests.engine_worlds import (
    ago,
    cpu,
    member,
    per_instance,
    plan,
    queue,
    seen,
    series,
    vote_of,
    wanted,
    watched,
)

# size, newest value -> wanted
TOLERANCE: dict[str, tuple[int, float, int]] = {
    "on target: stay": (10, 60, 10),
    "66 of 60 is inside 10 %: stay": (10, 66, 10),
    "a hair above 66: grow": (10, 66.0000001, 12),
    "54 of 60 is inside 10 %: stay": (10, 54, 10),
    "a hair below 54: shrink": (10, 53.9999999, 9),
    "idle: nobody is needed, the limits decide how few stay": (10, 0, 0),
    "100 %: in proportion, rounded up": (10, 100, 17),
    "105 reads as 100": (10, 105, 17),
    "one instance at 67 needs two": (1, 67, 2),
}


@pytest.mark.parametrize(("size", "value", "need"), TOLERANCE.values(), ids=TOLERANCE.keys())
def test_the_edges_of_the_tolerance_belong_to_it(size: int, value: float, need: int) -> None:
    web = plan(cpu())
    assert wanted(vote_of(web, seen(size, cpu=value), watched(web, size))) == need


# target, tolerance, size, value -> wanted
EXACT: dict[str, tuple[float, str, int, float, int]] = {
    "25 × 22 / 10 is 55, not 56": (10, "10%", 25, 22, 55),
    "just above 55 is 56": (10, "10%", 25, 22.0001, 56),
    "0.1 is a tenth: 3 × 0.3 / 0.1 is 9": (0.1, "10%", 3, 0.3, 9),
    "0.33 of 0.3 is exactly 10 % over: stay": (0.3, "10%", 7, 0.33, 7),
    "0.27 of 0.3 is exactly 10 % under: stay": (0.3, "10%", 7, 0.27, 7),
    "no tolerance: the target itself holds": (70, "0%", 9, 70, 9),
    "no tolerance: any more grows": (70, "0%", 9, 70.01, 10),
    "a wide tolerance outwards": (50, "100%", 4, 100, 4),
}


@pytest.mark.parametrize(
    ("target", "tolerance", "size", "value", "need"), EXACT.values(), ids=EXACT.keys()
)
def test_arithmetic_is_exact(
    target: float, tolerance: str, size: int, value: float, need: int
) -> None:
    web = plan(cpu(unit="count", target=target, tolerance={"out": tolerance, "in": "10%"}))
    assert wanted(vote_of(web, seen(size, cpu=value), watched(web, size))) == need


def test_tolerance_differs_by_direction() -> None:
    web = plan(cpu(tolerance={"out": "5%", "in": "50%"}))
    assert wanted(vote_of(web, seen(cpu=64))) == 11  # 5 % of 60 is 3
    assert wanted(vote_of(web, seen(cpu=63))) == 10
    assert wanted(vote_of(web, seen(cpu=30))) == 10  # the inner edge
    assert wanted(vote_of(web, seen(cpu=29))) == 5


# the count that the value is multiplied with
COUNTS: dict[str, tuple[Observation, int]] = {
    "measured on 4, size is 8 now: 4 × 90 / 60": (seen(8, cpu=series(90, samples=4)), 6),
    "count unknown: the count that ran then": (seen(10, cpu=90), 15),
    "reporting members are counted, not the size": (
        seen(10, cpu=per_instance({"a": 90, "b": 90})),
        3,
    ),
}


@pytest.mark.parametrize(("observation", "need"), COUNTS.values(), ids=COUNTS.keys())
def test_load_is_the_value_times_those_who_produced_it(observation: Observation, need: int) -> None:
    web = plan(cpu(statistic="max"))
    assert wanted(vote_of(web, observation, watched(web, 10))) == need


def test_a_window_is_read_against_the_running_count_kept_for_it() -> None:
    web = plan(cpu())
    grew = watched(web, 10, counts=((ago(60), 4), (ago(1), 10)))
    assert wanted(vote_of(web, seen(10, cpu=90), grew)) == 6  # 4 × 90 / 60


def test_a_change_within_the_window_counts_low_to_grow_and_high_to_shrink() -> None:
    web = plan(cpu())
    grew = watched(web, 8, counts=((ago(60), 2), (ago(2.5), 8)))
    assert wanted(vote_of(web, seen(8, cpu=70), grew)) == 8  # 3 by the low count, 10 by the high
    assert wanted(vote_of(web, seen(8, cpu=40), grew)) == 6  # by the high count, never 2
    shrank = watched(web, 4, counts=((ago(60), 20), (ago(2.5), 4)))
    assert wanted(vote_of(web, seen(4, cpu=40), shrank)) == 4  # 14 by the high, 3 by the low
    assert wanted(vote_of(web, seen(4, cpu=90), shrank)) == 6


# total, size -> wanted
TOTALS: dict[str, tuple[float, int, int]] = {
    "a total is divided by the share of one": (1000, 5, 10),
    "an exact division is not rounded up": (900, 5, 9),
    "rounded up": (901, 5, 10),
    "10 % over for 5 instances: stay": (550, 5, 5),
    "more than that: grow": (551, 5, 6),
    "10 % under for 5 instances: stay": (450, 5, 5),
    "less than that, but 5 are needed": (449, 5, 5),
    "four are enough": (400, 5, 4),
    "an empty queue needs nobody": (0, 5, 0),
    "an empty pool with work grows": (250, 0, 3),
    "an empty pool without work stays empty": (0, 0, 0),
    "one message is enough to start": (1, 0, 1),
}


@pytest.mark.parametrize(("total", "size", "need"), TOTALS.values(), ids=TOTALS.keys())
def test_totals_are_divided_over_the_size_of_now(total: float, size: int, need: int) -> None:
    backlog = plan(queue(), limits={"min": 0, "max": 50})
    assert wanted(vote_of(backlog, seen(size, queue=total), watched(backlog, size))) == need


@pytest.mark.parametrize("reading", [series(90), Reading()], ids=["with data", "without data"])
def test_an_empty_pool_has_no_utilisation(reading: Reading) -> None:
    web = plan(cpu(), limits={"min": 0, "max": 5})
    vote = vote_of(web, seen(0, cpu=reading), watched(web, 0))
    assert (wanted(vote), vote.reason.code) == ("NoOpinion", "size_zero")


def fleet(count: int, value: float) -> dict[str, object]:
    return {f"vm{i}": value for i in range(count)}


# members that run for 60 min unless said, values of those who report -> wanted, code
DAMPING: dict[str, tuple[int, dict[str, object], dict[str, float | None], int, str]] = {
    "all report: undamped": (10, fleet(10, 30), {}, 5, "off_target"),
    "one silent of ten counts 100 when shrinking": (10, fleet(9, 30), {}, 7, "damped"),
    "silent members end a shrinking": (10, fleet(5, 30), {}, 10, "damped"),
    "silent members count 0 when growing": (10, fleet(8, 90), {}, 12, "damped"),
    "growth that lands inside the tolerance stays": (10, fleet(7, 94), {}, 10, "damped"),
    "growth that flips stays": (10, fleet(4, 90), {}, 10, "damped"),
    "nobody reports: stay": (10, {"gone": 90}, {}, 10, "damped"),
    "a warming member is left out when shrinking": (
        4, {**fleet(3, 30), "vm3": 100}, {"vm3": 2.5}, 2, "damped",
    ),
    "a warming member counts 0 when growing": (
        4, {**fleet(3, 99), "vm3": 100}, {"vm3": 2.5}, 5, "damped",
    ),
    "warm enough a minute before the window's end: counts": (
        4, {**fleet(3, 30), "vm3": 100}, {"vm3": 3}, 4, "off_target",
    ),
    "started after the window: no sample is missing": (4, fleet(3, 30), {"vm3": 1}, 2, "damped"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("size", "values", "young", "need", "code"), DAMPING.values(), ids=DAMPING.keys()
)
def test_members_without_trusted_data_damp_the_mean(
    size: int, values: dict[str, object], young: dict[str, float | None], need: int, code: str
) -> None:
    web = plan(cpu())
    members = [member(f"vm{i}", young.get(f"vm{i}", 60)) for i in range(size)]
    vote = vote_of(web, seen(size, members=members, cpu=per_instance(values)), watched(web, size))
    assert (wanted(vote), vote.reason.code) == (need, code)


def test_a_terminated_member_neither_warms_up_nor_is_missing() -> None:
    web = plan(cpu())
    members = [member(f"vm{i}") for i in range(3)] + [member("old", 1, state="Terminated")]
    vote = vote_of(web, seen(3, members=members, cpu=per_instance(fleet(3, 30))), watched(web, 3))
    assert (wanted(vote), vote.reason.code) == (2, "off_target")


def test_silent_members_of_other_metrics_count_the_target_when_shrinking() -> None:
    web = plan(cpu(unit="count", target=60))
    members = [member(f"vm{i}") for i in range(10)]
    observation = seen(10, members=members, cpu=per_instance(fleet(9, 30)))
    assert wanted(vote_of(web, observation)) == 6  # ceil((9 × 30 + 60) / 60), with 100 it were 7


def test_a_count_below_the_running_ones_is_damped_too() -> None:
    web = plan(cpu())
    assert wanted(vote_of(web, seen(10, cpu=series(30, samples=10)))) == 5
    assert wanted(vote_of(web, seen(10, cpu=series(30, samples=9)))) == 7


@pytest.mark.parametrize("statistic", ["max", "p90"])
def test_maxima_and_percentiles_are_not_damped(statistic: str) -> None:
    web = plan(cpu(statistic=statistic))
    members = [member(f"vm{i}") for i in range(10)]
    reading = Reading(value=30.0, at=ago(2), samples=8, instances=fleet(8, 20))
    vote = vote_of(web, seen(10, members=members, cpu=reading))
    assert (wanted(vote), vote.reason.code) == (4, "off_target")  # 8 × 30 / 60, nothing added


def test_a_huge_count_of_samples_costs_nothing() -> None:
    web = plan(cpu())
    assert wanted(vote_of(web, seen(10, cpu=series(60, samples=10**15)))) == 10
