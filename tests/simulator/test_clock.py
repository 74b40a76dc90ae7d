"""Simulated time, stepped and scaled."""

from datetime import timedelta

import pytest

from simulator.clock import ScaledClock, SteppedClock
from tests.oci_world import NOON

MINUTE = timedelta(minutes=1)


def test_a_stepped_clock_moves_only_when_told() -> None:
    clock = SteppedClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(MINUTE)
    assert clock.now() == NOON + MINUTE


def test_no_clock_goes_back() -> None:
    for clock in (SteppedClock(NOON), scaled([NOON], 60)):
        with pytest.raises(ValueError, match="never goes back"):
            clock.advance(-MINUTE)


def scaled(wall: list[object], scale: float) -> ScaledClock:
    return ScaledClock(
        lambda: wall[0],  # type: ignore[arg-type, return-value] # the test moves this cell
        origin_simulated=NOON - timedelta(days=30),
        origin_wall=NOON,
        scale=scale,
    )


def test_a_scaled_clock_runs_faster_than_the_wall() -> None:
    wall: list[object] = [NOON]
    clock = scaled(wall, 60)
    assert clock.now() == NOON - timedelta(days=30)
    wall[0] = NOON + MINUTE
    assert clock.now() == NOON - timedelta(days=30) + timedelta(hours=1)


def test_two_clocks_with_the_same_origins_agree() -> None:
    wall: list[object] = [NOON + timedelta(seconds=7.3)]
    assert scaled(wall, 120).now() == scaled(wall, 120).now()


def test_before_its_origin_a_clock_stands_still() -> None:
    assert scaled([NOON - MINUTE], 60).now() == NOON - timedelta(days=30)


def test_a_new_scale_does_not_make_time_jump() -> None:
    wall: list[object] = [NOON + MINUTE]
    clock = scaled(wall, 60)
    before = clock.now()
    clock.rescale(1)
    assert clock.now() == before
    wall[0] = NOON + 2 * MINUTE
    assert clock.now() == before + MINUTE
    clock.rescale(0)
    wall[0] = NOON + 9 * MINUTE
    assert clock.now() == before + MINUTE


def test_a_jump_adds_to_a_scaled_clock() -> None:
    clock = scaled([NOON], 60)
    clock.advance(timedelta(hours=5))
    assert clock.now() == NOON - timedelta(days=30) + timedelta(hours=5)


def test_a_negative_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="scale"):
        scaled([NOON], -1)
