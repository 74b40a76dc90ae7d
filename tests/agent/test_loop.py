"""When the running service ticks next."""

from datetime import UTC, datetime, timedelta

from agent.clock import ScaledClock
from agent.loop import Loop
from agent.systemd_notify import Notifier
from tests.agent.rig import Rig, config_yaml, pool_yaml

EIGHT = datetime(2026, 1, 15, 8, tzinfo=UTC)
POLL = "poll_interval: 10m"


def yaml(more: str = "") -> str:
    return config_yaml(pool_yaml("web"), more=more).replace("poll_interval: 30s", POLL)


def test_an_edge_of_a_configuration_that_a_tick_brought_is_not_missed(rig: Rig) -> None:
    """The scheduler plans the next tick before it starts one."""
    rig.add_pool("web", size=2, demand=90)
    agent = rig.agent(yaml())
    clock = ScaledClock(lambda: EIGHT, lambda: 0.0)
    loop = Loop(agent, clock, Notifier(None))
    loop._scheduler.add_job(loop._tick, loop._trigger, id="tick")

    def next_tick() -> datetime:
        found: datetime = loop._scheduler.get_job("tick").next_run_time
        return found

    loop._tick()
    assert next_tick() == EIGHT + timedelta(minutes=10, milliseconds=1)

    schedule = 'schedules:\n  - {name: day, start: "08:05", end: "18:00", target_instances: 6}\n'
    agent.configs.bootstrap(yaml(schedule), authoritative=True)
    loop._tick()
    assert next_tick() == EIGHT + timedelta(minutes=5, milliseconds=1)
    agent.close()
