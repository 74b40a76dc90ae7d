"""Nodes of one tenancy keep out of each other's way, and schedules wait for nobody."""

import random
from datetime import timedelta

from agent.clock import ScaledClock
from agent.compose import _connect
from agent.config_apply import prepare
from agent.phase import Phase
from agent.schedule import Agenda, TickTrigger
from shared.wire import MetricsBudget
from simulator.faults import Rule
from tests.agent.rig import NOON, Rig, config_yaml, pool_yaml

POLL = timedelta(seconds=30)


def phase_of(seconds: float) -> Phase:
    phase = Phase(random.Random(1))
    phase.assign(MetricsBudget(requests_per_second=1, phase_seconds=seconds))
    return phase


def test_a_phase_moves_ticks_within_a_poll_and_reads_by_whole_polls() -> None:
    for seconds, ticks, reads in ((0, 0, 0), (12, 12, 0), (30, 0, 30), (47, 17, 30)):
        phase = phase_of(seconds)
        assert phase.of_ticks() == timedelta(seconds=ticks)
        assert phase.of_reads() == timedelta(seconds=reads)


def test_without_central_only_a_429_makes_a_node_step_aside_and_once() -> None:
    phase = Phase(random.Random(1))
    assert phase.of_ticks() + phase.of_reads() == timedelta(0)
    phase.throttled()
    first = phase.of_ticks() + phase.of_reads()
    phase.throttled()
    assert timedelta(0) < first == phase.of_ticks() + phase.of_reads() < timedelta(minutes=1)
    phase.assign(MetricsBudget(requests_per_second=1, phase_seconds=5))
    assert phase.of_ticks() == timedelta(seconds=5), "central knows better"
    phase.assign(None)
    assert phase.of_ticks() == timedelta(seconds=5), "and while it is away, too"


def test_a_schedules_edge_is_not_delayed_by_the_phase() -> None:
    schedule = "schedules:\n  - {name: s, start: 12:01, end: 13:00, target_instances: 3}\n"
    running = prepare(config_yaml(pool_yaml("web"), more=schedule), 1, "file")
    now = [NOON + timedelta(seconds=5)]
    clock = ScaledClock(lambda: now[0], lambda: 0.0)
    trigger = TickTrigger(clock, Agenda(lambda: running), phase_of(12).of_ticks)
    assert trigger.get_next_fire_time(None, NOON) - NOON < timedelta(seconds=42.1)
    now[0] = NOON + timedelta(seconds=43)
    edge = trigger.get_next_fire_time(None, NOON)
    assert timedelta(0) <= edge - (NOON + timedelta(minutes=1)) < timedelta(seconds=1)


def test_a_throttled_agent_notices_it(rig: Rig) -> None:
    rig.add_pool("web", size=2)
    phase = Phase(random.Random(1))
    around = rig.surroundings()
    source = _connect(rig.settings, around, phase).source
    pool = prepare(config_yaml(pool_yaml("web")), 1, "file").config.pools[0]
    rig.break_with(rules=[Rule(operation="SummarizeMetricsData", status=429, count=1)])
    source.probe(pool, rig.world.now())
    assert phase.of_ticks() + phase.of_reads() > timedelta(0)
