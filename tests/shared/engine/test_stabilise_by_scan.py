"""Stabilization against an oracle that remembers every single tick."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.config.models import Stabilization
from shared.engine import stabilise
from shared.engine.stabilise import Needs
from tests.engine_worlds import NOON

SECOND = timedelta(seconds=1)
HOLE = timedelta(seconds=120)
GAPS = st.sampled_from([1, 30, 30, 30, 60, 119, 120, 121, 300])
TICKS = st.lists(st.tuples(GAPS, st.integers(0, 6)), min_size=1, max_size=40)
WINDOWS = st.sampled_from([0, 60, 119, 120, 180, 300, 900])
Ticks = list[tuple[datetime, int]]


def by_scan(ticks: Ticks, size: int, rule: Stabilization) -> int:
    """The rule as the contract says it, over all ticks so far."""
    now, need = ticks[-1]
    if need > size:
        return max(size, min(n for at, n in ticks if at >= now - rule.scale_out))
    if need < size and rule.scale_in:
        start = now - rule.scale_in
        watched_from = now
        for at, _ in reversed(ticks):
            if watched_from - at > HOLE:
                break
            watched_from = at
        if watched_from > start:
            return size
        return min(size, max(n for at, n in ticks if at >= start))
    return need


@settings(max_examples=300, deadline=None)
@given(ticks=TICKS, size=st.integers(0, 6), out=WINDOWS, into=WINDOWS)
def test_dropping_and_merging_runs_changes_no_decision(
    ticks: list[tuple[int, int]], size: int, out: int, into: int
) -> None:
    rule = Stabilization(scale_out=out * SECOND, scale_in=into * SECOND)
    needs: Needs = ()
    now, seen = NOON, []
    for gap, need in ticks:
        now += gap * SECOND
        seen.append((now, need))
        needs = stabilise.remember(needs, now, need, HOLE, rule)
        allowed, reason, _ = stabilise.stabilise(size, need, needs, now, rule, HOLE)
        assert allowed == by_scan(seen, size, rule)
        assert (reason is None) == (allowed == need)


@settings(max_examples=20, deadline=None)
@given(needs=st.lists(st.integers(0, 9), min_size=200, max_size=200))
def test_a_day_of_changing_needs_is_a_few_runs(needs: list[int]) -> None:
    rule = Stabilization(scale_out=timedelta(0), scale_in=timedelta(days=1))
    kept: Needs = ()
    for tick, need in enumerate(needs):
        kept = stabilise.remember(kept, NOON + 30 * tick * SECOND, need, HOLE, rule)
        assert len(kept) <= 10  # one for each need that is smaller than all before it
