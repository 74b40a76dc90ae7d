"""The formulas of liveness and the table of transitions."""

import random

import pytest

from central.liveness import (
    Status,
    after_heartbeat,
    amnesty,
    assigned_interval,
    is_mass_failure,
    reconnect_window,
    silence_allowed,
)

INTERVALS = [
    (0, 30.0),
    (1_000, 30.0),
    (6_000, 30.0),
    (10_000, 50.0),
    (50_000, 250.0),
    (90_000, 300.0),
]
WINDOWS = [(0, 10.0), (1_000, 10.0), (10_000, 100.0), (50_000, 120.0)]
MASS = [(2, 2, False), (3, 3, True), (11, 20, True), (10, 20, False), (3, 100, False)]
TRANSITIONS: list[tuple[Status, bool, bool, Status | None, str | None]] = [
    ("INACTIVE", True, False, "ACTIVE", "ACTIVATED"),
    ("INACTIVE", False, False, "ERROR", "ACTIVATED"),
    ("INACTIVE", True, True, None, None),
    ("ACTIVE", True, False, None, None),
    ("ACTIVE", False, False, "ERROR", "AGENT_ERROR"),
    ("ACTIVE", True, True, "INACTIVE", "STOPPED"),
    ("ERROR", False, False, None, None),
    ("ERROR", True, False, "ACTIVE", "RECOVERED"),
    ("OFFLINE", True, False, "ACTIVE", "CAME_ONLINE"),
    ("OFFLINE", False, False, "ERROR", "CAME_ONLINE"),
]


@pytest.mark.parametrize(("nodes", "seconds"), INTERVALS)
def test_the_interval_grows_with_the_fleet(nodes: int, seconds: float) -> None:
    assert assigned_interval(30, nodes) == seconds


def test_a_base_above_the_cap_is_kept() -> None:
    assert assigned_interval(600, 10) == 600


@pytest.mark.parametrize(("nodes", "seconds"), WINDOWS)
def test_the_reconnect_window_grows_with_the_fleet(nodes: int, seconds: float) -> None:
    assert reconnect_window(nodes) == seconds


def test_silence_is_allowed_for_three_intervals_and_a_grace() -> None:
    assert silence_allowed(30) == 105
    assert silence_allowed(50) == 165


def test_amnesty_is_no_longer_than_the_outage_justifies() -> None:
    assert amnesty(30, 60) == 105 + 240
    assert amnesty(30, 300) == 105 + 900
    assert amnesty(30, 86_400) == 105 + 900


def return_after(outage: float, chance: random.Random) -> float:
    """When an agent is heard after an outage, with the waits of its back-off."""
    at, attempt = chance.uniform(0, 33), 0
    while at < outage:
        attempt += 1
        most = 10.0 if attempt == 1 else min(900.0, 2.0 * 2**attempt)
        at += chance.uniform(0, most)
    return at - outage


@pytest.mark.parametrize("outage", [35, 60, 120, 240, 400, 600, 1800])
def test_after_an_outage_nearly_every_agent_is_back_within_the_amnesty(outage: float) -> None:
    chance = random.Random(outage)
    late = sum(return_after(outage, chance) > amnesty(30, outage) for _ in range(5_000))
    assert late <= 5


@pytest.mark.parametrize(("overdue", "expected", "mass"), MASS)
def test_a_mass_failure_is_three_and_most_of_the_fleet(
    overdue: int, expected: int, mass: bool
) -> None:
    assert is_mass_failure(overdue, expected) is mass


@pytest.mark.parametrize(("current", "healthy", "goodbye", "new", "event"), TRANSITIONS)
def test_a_heartbeat_moves_the_status(
    current: Status, healthy: bool, goodbye: bool, new: Status | None, event: str | None
) -> None:
    moved = after_heartbeat(current, healthy=healthy, goodbye=goodbye)
    assert (moved and moved.new, moved and moved.event) == (new, event)
