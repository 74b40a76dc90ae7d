"""Demand over time and what it does to instances."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.load import DemandHistory, LoadModel, constant, noise, recorded, sine, steps
from tests.oci_world import NOON

MINUTE = timedelta(minutes=1)


def test_steps_hold_until_the_next_one() -> None:
    curve = steps([(2 * MINUTE, 30), (timedelta(0), 10)])
    assert [curve(n * MINUTE) for n in (-1, 0, 1.9, 2, 99)] == [0, 10, 10, 30, 30]


def test_a_sine_swings_around_its_mean_and_never_below_zero() -> None:
    curve = sine(100, 50, timedelta(hours=4))
    assert [round(curve(n * timedelta(hours=1))) for n in range(4)] == [100, 150, 100, 50]
    assert sine(10, 50, timedelta(hours=4))(timedelta(hours=3)) == 0


def test_noise_is_the_same_in_every_run() -> None:
    curve = sine(100, 0, MINUTE * 60, noise_share=0.2, seed=7)
    again = sine(100, 0, MINUTE * 60, noise_share=0.2, seed=7)
    other = sine(100, 0, MINUTE * 60, noise_share=0.2, seed=8)
    readings = [curve(n * MINUTE) for n in range(50)]
    assert readings == [again(n * MINUTE) for n in range(50)]
    assert readings != [other(n * MINUTE) for n in range(50)]
    assert all(80 <= reading <= 120 for reading in readings)
    assert len(set(readings)) > 40


TABLES: dict[str, str] = {
    "ISO times with a header": "timestamp,value\n2026-01-01T00:00:00Z,5\n2026-01-01T00:05:00Z,9\n",
    "without a zone": "2026-01-01 00:00:00,5\n2026-01-01 00:05:00,9",
    "seconds": "1700000000,5\n1700000300.0,9\n\n",
    "out of order": "2026-01-01T00:05:00Z,9\n2026-01-01T00:00:00Z,5",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES.keys())
def test_a_recorded_demand_starts_with_its_first_row(text: str) -> None:
    curve = recorded(text)
    assert [curve(n * MINUTE) for n in (0, 4, 5, 60)] == [5, 5, 9, 9]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "no rows"), ("a,b\n", "line 1"), ("1,2\n3\n", "line 2"), ("1,x\n", "line 1")],
)
def test_a_bad_recording_names_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        recorded(text)


def test_a_new_curve_rules_from_its_instant_on() -> None:
    demand = DemandHistory()
    assert demand.at(NOON) == 0
    demand.replace(constant(1), NOON)
    demand.replace(steps([(timedelta(0), 2), (MINUTE, 3)]), NOON + MINUTE)
    found = [demand.at(NOON + n * MINUTE) for n in (-1, 0, 0.9, 1, 2)]
    assert found == [0, 1, 1, 2, 3]


def test_utilisation_is_demand_over_capacity() -> None:
    model = LoadModel(capacity=50, memory_base=10, memory_slope=0.5)
    assert model.cpu(100, 4, "i", NOON) == 50
    assert model.cpu(1000, 4, "i", NOON) == 100
    assert model.memory(50) == 35


@given(demand=st.floats(0, 1e6), running=st.integers(1, 500), jitter=st.floats(0, 1))
def test_readings_are_percentages(demand: float, running: int, jitter: float) -> None:
    model = LoadModel(jitter=jitter)
    cpu = model.cpu(demand, running, "i", NOON)
    assert 0 <= cpu <= 100
    assert 0 <= model.memory(cpu) <= 100


@given(st.text(), st.integers())
def test_noise_stays_within_one(name: str, number: int) -> None:
    assert -1 <= noise(name, number) < 1
