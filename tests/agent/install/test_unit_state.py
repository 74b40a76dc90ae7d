"""Telling whether a restart went well from what systemd says, moment by moment."""

import pytest

from agent.install.unit_state import UnitState, came_up, read_state

OLD = UnitState("active", "running", "one")
STARTING = UnitState("activating", "start", "two")
CRASHED = UnitState("activating", "auto-restart", "two")
UP = UnitState("active", "running", "two")
CASES = {
    "it comes up": ([OLD, STARTING, UP], True, 2),
    "it crashes: known at once": ([OLD, STARTING, CRASHED], False, 2),
    "it ends": ([OLD, STARTING, UnitState("inactive", "dead", "two")], False, 2),
    "the old process is not taken for the new one": ([OLD], False, 10),
    "it starts for ever": ([STARTING], False, 10),
}


@pytest.mark.parametrize(("states", "good", "waits"), CASES.values(), ids=CASES)
def test_a_restart_is_followed_until_it_is_decided(
    states: list[UnitState], good: bool, waits: int
) -> None:
    waited: list[float] = []

    def look() -> UnitState:
        return states[min(len(waited), len(states) - 1)]

    assert came_up(OLD, look, waited.append, patience=5.0) is good
    assert len(waited) == waits


def test_the_fields_are_read_by_name() -> None:
    shown = "StatusText=2 pools, a=b\nActiveState=active\nSubState=running\nInvocationID=f00\n"
    state = read_state(lambda _: shown)
    assert state == UnitState("active", "running", "f00", "2 pools, a=b")
    assert str(state) == "poolkeeper-agent.service is active: 2 pools, a=b"
    assert str(read_state(lambda _: None)) == "poolkeeper-agent.service is unknown"
