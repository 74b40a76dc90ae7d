"""When ticks are due: at multiples of the poll interval, and exactly at a schedule's edges."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import ScaledClock
from agent.config_apply import Running, prepare
from agent.schedule import Agenda, TickTrigger
from tests.agent.rig import config_yaml, pool_yaml

EIGHT = datetime(2026, 1, 15, 8, tzinfo=UTC)
SCHEDULE = (
    "schedules:\n"
    "  - {name: day, start: '08:00', end: '18:00', target_instances: 6, ready_early: 20s}\n"
)


def running(more: str = "", poll: str = "30s") -> Running:
    text = config_yaml(pool_yaml("web"), more=more).replace("30s", poll, 1)
    return prepare(text, 1, "file")


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (EIGHT, EIGHT + timedelta(seconds=30)),
        (EIGHT + timedelta(seconds=29, microseconds=999_999), EIGHT + timedelta(seconds=30)),
        (EIGHT + timedelta(seconds=30), EIGHT + timedelta(seconds=60)),
    ],
)
def test_ticks_fall_on_multiples_of_the_poll_interval(now: datetime, due: datetime) -> None:
    assert Agenda(running).next_after(now) == due


def test_an_edge_between_two_polls_has_a_tick_of_its_own() -> None:
    config = running(SCHEDULE)
    agenda = Agenda(lambda: config)
    at, ticks = EIGHT - timedelta(minutes=1), []
    for _ in range(5):
        at = agenda.next_after(at)
        ticks.append((at - EIGHT).total_seconds())
    assert ticks == [-30, -20, 0, 30, 60]


def test_a_new_configuration_brings_its_own_edges() -> None:
    configs = [running()]
    agenda = Agenda(lambda: configs[-1])
    agenda.next_after(EIGHT - timedelta(minutes=1))
    configs.append(running(SCHEDULE, poll="5m"))
    assert agenda.next_after(EIGHT - timedelta(minutes=1)) == EIGHT - timedelta(seconds=20)


def test_without_configuration_it_looks_every_few_seconds() -> None:
    assert Agenda(lambda: None).next_after(EIGHT) == EIGHT + timedelta(seconds=5)


def test_the_trigger_is_a_hair_late_and_never_early_and_the_same_when_asked_twice() -> None:
    wall = datetime(2026, 3, 1, 1, 2, 3, 456_789, tzinfo=UTC)
    clock = ScaledClock(
        lambda: wall, lambda: 0.0, origin_simulated=EIGHT, origin_wall=wall, scale=60
    )
    config = running()
    trigger = TickTrigger(clock, Agenda(lambda: config), lambda: timedelta(0))
    first = trigger.get_next_fire_time(None, wall)
    assert first == trigger.get_next_fire_time(first, wall)
    assert timedelta(seconds=0.5) < first - wall < timedelta(seconds=0.502)


@pytest.mark.parametrize(("early", "due"), [("20s", 37), ("25s", 35), ("30s", 30), ("31s", 29)])
def test_no_phase_delays_an_edge(early: str, due: float) -> None:
    start = EIGHT - timedelta(seconds=60)
    config = running(SCHEDULE.replace("20s", early))
    clock = ScaledClock(lambda: start, lambda: 0.0)
    trigger = TickTrigger(clock, Agenda(lambda: config), lambda: timedelta(seconds=7))
    fires = trigger.get_next_fire_time(None, start)
    assert fires - start == timedelta(seconds=due, milliseconds=1)


def test_central_may_spread_nodes_within_a_poll() -> None:
    wall = datetime(2026, 3, 1, tzinfo=UTC)
    clock = ScaledClock(lambda: wall, lambda: 0.0)
    config = running()
    trigger = TickTrigger(clock, Agenda(lambda: config), lambda: timedelta(seconds=7))
    assert trigger.get_next_fire_time(None, wall) - wall == timedelta(seconds=37, milliseconds=1)
