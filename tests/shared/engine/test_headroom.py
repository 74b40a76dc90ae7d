"""`headroom`: a count of instances beside those that the target asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.decide import decide
from shared.engine.limits import anti_flap
from shared.engine.outlook import outlook
from tests.engine_worlds import (
    EAGER,
    NOON,
    cpu,
    plan,
    queue,
    seen,
    series,
    size_after,
    vote_of,
    wanted,
    watched,
)

# headroom, size, newest value -> wanted; the target is 60 within 10 %
NEWEST: dict[str, tuple[int, int, float, int]] = {
    "none: as without the key": (0, 10, 75, 13),
    "two of ten carry nothing: 48 on ten is 60 on eight": (2, 10, 48, 10),
    "the outer edge belongs to it: 52.8 on ten is 66 on eight": (2, 10, 52.8, 10),
    "a hair above: nine for the load and two": (2, 10, 52.9, 11),
    "the inner edge belongs to it: 43.2 on ten is 54 on eight": (2, 10, 43.2, 10),
    "a hair below: it shrinks to the need and two": (2, 10, 41, 9),
    "idle: the headroom alone": (3, 10, 0, 3),
    "fewer run than the headroom: any load grows": (4, 3, 1, 5),
    "as many as the headroom and no load: stay": (4, 4, 0, 4),
}


@pytest.mark.parametrize(("headroom", "size", "value", "need"), NEWEST.values(), ids=NEWEST.keys())
def test_the_need_and_the_tolerance_leave_the_headroom_aside(
    headroom: int, size: int, value: float, need: int
) -> None:
    web = plan(cpu(headroom=headroom))
    assert wanted(vote_of(web, seen(size, cpu=value), watched(web, size))) == need


def test_headroom_goes_with_a_percentile_of_demand() -> None:
    web = plan(cpu(headroom=2, demand={"percentile": 90, "window": "10m"}))
    assert wanted(vote_of(web, seen(cpu=series(*[48.0] * 10)))) == 10
    assert wanted(vote_of(web, seen(cpu=series(*[90.0] * 10)))) == 17
    assert wanted(vote_of(web, seen(cpu=series(*[30.0] * 10)))) == 7


def test_headroom_of_totals_is_kept_on_an_empty_pool_too() -> None:
    backlog = plan(queue(headroom=2), limits={"min": 0, "max": 50})
    assert wanted(vote_of(backlog, seen(5, queue=900))) == 11
    assert wanted(vote_of(backlog, seen(5, queue=300))) == 5
    assert wanted(vote_of(backlog, seen(0, queue=0), watched(backlog, 0))) == 2


def test_a_scale_in_leaves_the_headroom_of_every_policy() -> None:
    web = plan(cpu(target=60, tolerance={"out": "50%", "in": "0%"}, headroom=3), **EAGER)
    decision = decide(web, seen(10, cpu=20), watched(web, 10))
    assert size_after(decision) == 7  # 200 / 60 needs four, and three
    assert "beside 3 instances of headroom" in " ".join(r.text for r in decision.verdict.reasons)


def test_what_could_go_by_other_policies_stops_where_the_headroom_would_be_gone() -> None:
    web = plan(cpu(target=60, tolerance={"out": "50%", "in": "0%"}, headroom=3))
    vote = vote_of(web, seen(10, cpu=20), watched(web, 10))
    allowed, reason = anti_flap(10, 1, [vote])
    assert allowed == 6  # 200 / 90 keeps three from scaling out, and three
    assert reason is not None
    assert reason.code == "anti_flap"


def test_the_outlook_names_the_value_at_which_the_headroom_is_eaten_into() -> None:
    web = plan(cpu(headroom=2))
    lines = outlook(web, decide(web, seen(10, cpu=48), watched(web, 10)), NOON)
    assert "cpu adds 1 above CpuUtilization 52.8 %" in lines


@given(
    headroom=st.integers(0, 20),
    size=st.integers(1, 40),
    value=st.floats(0, 100, allow_subnormal=False),
    more=st.integers(0, 20),
)
def test_more_headroom_never_asks_for_less(
    headroom: int, size: int, value: float, more: int
) -> None:
    def need(spare: int) -> int:
        web = plan(cpu(headroom=spare, tolerance={"out": "0%", "in": "0%"}))
        return int(wanted(vote_of(web, seen(size, cpu=value), watched(web, size))))

    assert need(headroom) <= need(headroom + more)


@given(
    headroom=st.integers(0, 20),
    size=st.integers(1, 40),
    value=st.floats(0, 100, allow_subnormal=False),
)
def test_what_it_asks_for_is_what_it_then_keeps(headroom: int, size: int, value: float) -> None:
    """The same load on the wanted size asks for that size: no flapping by headroom."""
    web = plan(cpu(headroom=headroom, tolerance={"out": "0%", "in": "0%"}))
    need = int(wanted(vote_of(web, seen(size, cpu=value), watched(web, size))))
    if need and value * size / need <= 100:
        then = seen(need, cpu=value * size / need)
        assert wanted(vote_of(web, then, watched(web, need))) in {need, need + 1}
