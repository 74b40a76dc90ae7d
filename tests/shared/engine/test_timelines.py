"""Whole timelines of a pool that boots slowly and is measured late."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from shared.engine.model import Observation, Reading
from tests.engine_worlds import EAGER, World, cpu, ladder, plan, window


def jump(minute: float) -> float:
    """Four instances at 60 %; from the tenth minute on eight are needed."""
    return 240 if minute < 10 else 480


@dataclass
class CountOfNow(World):
    """The same engine, told that every window was measured on the instances of now."""

    def observe(self) -> Observation:
        seen = super().observe()
        for name, reading in list(seen.metrics.items()):
            history = tuple((at, value, self.running) for at, value, _ in reading.history)
            now = Reading(reading.value, reading.at, self.running, None, history)
            seen = Observation(seen.now, seen.pool, metrics={name: now}, elapsed=seen.elapsed)
        return seen


@pytest.mark.parametrize(
    "speed", [EAGER, {}, {"warmup": "3m", "cooldown": {"scale_out": "0s"}}], ids=str
)
def test_a_jump_of_the_need_is_followed_without_overshoot(speed: dict[str, Any]) -> None:
    web = plan(cpu(), **speed)
    world = World(web, 4, jump, boot=3, lag=2)
    sizes = world.run(60)
    assert max(sizes) == 8
    assert sizes[-1] == 8
    assert sizes == sorted(sizes)


def test_multiplying_by_the_count_of_now_overshoots_to_fourteen() -> None:
    web = plan(cpu(), **EAGER)
    assert max(CountOfNow(web, 4, jump, boot=3, lag=2).run(60)) == 14


def test_the_need_is_met_within_the_lags_there_are() -> None:
    """Seen after 2 min, 7 asked for (the CPU stops at 100 %), booted after 3, seen again, 8."""
    world = World(plan(cpu()), 4, jump, boot=3, lag=2)
    world.run(60)
    assert [(at, resize.to) for at, resize in world.resizes()] == [(12, 7), (17, 8)]


def noisy(seed: int) -> Callable[[float], float]:
    """A day's wave between 2 and 12 instances with noise and bursts."""
    noise = random.Random(seed)
    drawn = [noise.gauss(0, 60) + 300 * (noise.random() < 0.02) for _ in range(24 * 60)]
    return lambda m: max(0.0, 420 + 300 * math.sin(m / 60) + drawn[int(m) % len(drawn)])


FAST = {"scale_out": {"for": "2m", "steps": [{"above": 80, "add": 2}]}}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("policy", [cpu(), ladder(name="cpu", **FAST)], ids=["tracking", "steps"])
@pytest.mark.fault(49)
def test_one_metric_driven_resize_per_cooldown_and_direction(
    policy: dict[str, Any], seed: int
) -> None:
    out, into = timedelta(minutes=4), timedelta(minutes=10)
    web = plan(
        {**policy, "metric": "CpuUtilization"},
        limits={"min": 2, "max": 15},
        cooldown={"scale_out": "4m", "scale_in": "10m"},
    )
    world = World(web, 4, noisy(seed), boot=2)
    world.run(6 * 60)
    moves = world.resizes()
    assert any(resize.is_growth for _, resize in moves)
    assert any(not resize.is_growth for _, resize in moves)
    assert all(resize.cause == "metrics" and 2 <= resize.to <= 15 for _, resize in moves)
    last_growth = last_any = -1e9
    for at, resize in moves:
        if resize.is_growth:
            assert timedelta(minutes=at - last_growth) >= out
            last_growth = at
        else:
            assert timedelta(minutes=at - last_any) >= into
        last_any = at


@pytest.mark.parametrize("seed", range(2))
def test_bounds_hold_at_every_tick_of_a_day(seed: int) -> None:
    """The load is seen from noon on; at 14:00 the floor rises, at 18:00 the ceiling falls."""
    web = plan(
        cpu(),
        limits={"min": 2, "max": 12},
        schedules=[
            window("shop", "14:00", "16:00", 9),
            window("night", "18:00", "20:00", 3, mode="at_most"),
        ],
    )
    world = World(web, 4, noisy(seed), boot=2)
    world.run(9 * 60)
    settled = [d.verdict for _, d in world.decisions]
    assert all(2 <= verdict.desired <= 12 for verdict in settled)
    for at, decision in world.decisions:
        if 120 <= at < 240:
            assert decision.verdict.desired >= 9
        if 360 <= at < 480:
            assert decision.verdict.desired <= 3


@dataclass
class Gaps(World):
    """Metrics get lost: those of three instances, every 13th minute, and 9 min of every 47."""

    def observe(self) -> Observation:
        seen, minute = super().observe(), int(self.at)
        outage = minute % 47 < 9
        kept = {
            name: Reading(r.value, r.at, r.samples, None, tuple(h for h in r.history if h[2] != 3))
            for name, r in seen.metrics.items()
            if not outage and minute % 13
        }
        return Observation(seen.now, seen.pool, metrics=kept, elapsed=seen.elapsed)


@pytest.mark.parametrize("seed", range(2))
def test_a_scale_in_was_watched_for_all_of_its_window(seed: int) -> None:
    demand = {"percentile": 80, "window": "6m"}
    world = Gaps(plan(cpu(demand=demand), stabilization={"scale_in": "8m"}), 4, noisy(seed), boot=2)
    world.run(5 * 60)
    saw = [at for at, decision in world.decisions if decision.verdict.votes[0].value is not None]
    shrunk = [at for at, resize in world.resizes() if not resize.is_growth]
    assert shrunk
    for at in shrunk:
        watched = [tick for tick in saw if at - 8 - 2 <= tick <= at]
        assert watched[-1] == at  # never in a tick without data
        assert watched[0] <= at - 8
        assert all(after - before <= 2 for before, after in pairwise(watched))


def test_a_calm_load_never_moves_a_pool() -> None:
    world = World(plan(cpu(), ladder(name="steps", metric="CpuUtilization")), 6, lambda _: 360)
    world.run(240)
    assert world.resizes() == []


def test_a_pool_comes_down_after_the_load_and_stays_down() -> None:
    world = World(plan(cpu()), 10, lambda minute: 600 if minute < 20 else 120)
    sizes = world.run(120)
    assert sizes[-1] == 2
    assert sizes == sorted(sizes, reverse=True)
