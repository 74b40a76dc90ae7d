"""Totals are compared and divided exactly; counts know who ran when; plans are prepared once."""

import math
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.config.units import exact
from shared.engine import counts
from shared.engine.plan import Plan, next_change
from shared.engine.totals import Total
from tests.engine_worlds import NOON, ago, config, cpu, ladder, plan, queue, window

DECIMALS = st.integers(0, 10**7).map(lambda n: n / 1000)
SHARES = st.integers(1, 10**6).map(lambda n: Fraction(n, 1000))


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(DECIMALS, min_size=1, max_size=6),
    weight=st.integers(1, 60),
    fillers=st.integers(0, 9),
    share=SHARES,
)
def test_totals_equal_rational_arithmetic(
    values: list[float], weight: int, fillers: int, share: Fraction
) -> None:
    total = Total(values, weight, 100.0, fillers)
    truth = sum((exact(value) for value in values), Fraction(0)) * weight + 100 * fillers
    assert total.divided_up(share, float(share)) == math.ceil(truth / share)
    assert total.compare(share, float(share), 7) == (truth > 7 * share) - (truth < 7 * share)
    near = truth / 7  # exactly on the edge, where floats would err
    assert total.compare(near, float(near), 7) == 0


def test_a_share_next_to_nothing_still_gives_a_whole_number() -> None:
    tiny = Fraction(1, 10**300)
    assert Total((1e15,)).divided_up(tiny, float(tiny)) == 10**315


HISTORY = ((ago(30), 4), (ago(20), 8), (ago(10), 6))

# from, to in minutes ago -> smallest and largest running count
BETWEEN: dict[str, tuple[float, float, tuple[int, int]]] = {
    "within one entry": (19, 11, (8, 8)),
    "from the very instant of an entry": (20, 11, (8, 8)),
    "over one change": (21, 19, (4, 8)),
    "up to the very instant of a change": (19, 10, (6, 8)),
    "over all of them": (30, 0, (4, 8)),
    "before the first, the first": (60, 31, (4, 4)),
    "after the last, the last": (5, 0, (6, 6)),
}


@pytest.mark.parametrize(("start", "end", "found"), BETWEEN.values(), ids=BETWEEN.keys())
def test_counts_during_a_window(start: float, end: float, found: tuple[int, int]) -> None:
    assert counts.between(HISTORY, ago(start), ago(end), 99) == found


def test_without_any_memory_the_count_of_now_is_all_there_is() -> None:
    assert counts.between((), ago(9), ago(8), 3) == (3, 3)


def test_counts_are_noted_when_they_change_and_forgotten_when_they_are_old() -> None:
    keep = timedelta(minutes=15)
    assert counts.remember(HISTORY, NOON, 6, keep) == HISTORY[1:]  # 8 ran 15 min ago
    assert counts.remember(HISTORY, NOON, 7, keep) == (*HISTORY[1:], (NOON, 7))
    assert counts.remember(HISTORY, NOON, 6, timedelta(minutes=10)) == HISTORY[2:]
    assert counts.remember((), NOON, 5, keep) == ((NOON, 5),)


def test_a_plan_of_an_unknown_pool_is_an_error() -> None:
    with pytest.raises(KeyError, match="api"):
        Plan.of(config(), "api")


def test_the_fingerprint_is_that_of_the_policies_alone() -> None:
    same = plan(cpu(), limits={"min": 2, "max": 9}, mode="observe").fingerprint
    assert plan(cpu()).fingerprint == same
    assert plan(cpu(target=61)).fingerprint != same
    assert plan(cpu(), queue()).fingerprint != same


def test_counts_are_kept_as_long_as_windows_are_looked_at() -> None:
    assert plan(cpu()).reach >= timedelta(minutes=10)
    assert plan(cpu(demand={"percentile": 90, "window": "2h"})).reach >= timedelta(hours=2)
    slow = ladder(scale_in={"for": "3h", "steps": [{"below": 30, "remove": 1}]})
    assert plan(slow).reach >= timedelta(hours=3)


def test_the_next_change_is_the_nearest_of_schedules_and_overrides() -> None:
    later, sooner = window("a", "18:00", "20:00", 5), window("b", "14:00", "20:00", 5)
    lease = {"target_instances": 3, "until": ago(-60)}
    assert next_change(plan(schedules=[later, sooner]), NOON) == NOON + timedelta(hours=2)
    assert next_change(plan(schedules=[later], overrides=[lease]), NOON) == ago(-60)
    assert next_change(plan(schedules=[later], overrides=[lease]), ago(-60)) == ago(-360)
    assert next_change(plan(overrides=[lease]), ago(-60)) is None
