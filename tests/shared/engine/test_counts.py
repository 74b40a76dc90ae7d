"""Running counts of the past: many windows at once say what each says by itself."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.engine.counts import between, during
from tests.engine_worlds import MINUTE, NOON

_SECONDS = st.integers(-3600, 3600).map(lambda second: NOON + timedelta(seconds=second))
_CHANGES = st.dictionaries(_SECONDS | st.integers(-60, 60).map(lambda m: NOON + m * MINUTE),
                           st.integers(0, 9), max_size=12)  # fmt: skip
_ENDS = st.lists(_SECONDS | st.integers(-60, 60).map(lambda m: NOON + m * MINUTE),
                 min_size=1, max_size=40, unique=True)  # fmt: skip


@given(changes=_CHANGES, ends=_ENDS, minutes=st.sampled_from([1, 5, 60]))
def test_all_windows_at_once_are_each_window_by_itself(
    changes: dict[datetime, int], ends: list[datetime], minutes: int
) -> None:
    counts = tuple(sorted(changes.items()))
    interval = minutes * MINUTE
    ordered = sorted(ends)
    single = [between(counts, end - interval, end, 7) for end in ordered]
    least, most = during(counts, ordered, interval, 7)
    assert list(zip(least, most, strict=True)) == single
