"""One replay: the pool model and a scaler, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.replay.pool import SimulatedPool, World
from shared.replay.trace import Trace


@dataclass(slots=True)
class Meter:
    """What has been measured so far, one entry for each past step, and how much can be read.

    Attributes:
        demand: mean demand of each step.
        utilisation: per cent of the running instances' capacity, capped at 100; None at none.
        running: instances that served in each step.
        readable: only the first so many entries have come through the metric lag.
    """

    demand: Sequence[float]
    utilisation: list[float | None]
    running: list[int]
    readable: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """A size that a scaler asks for, and why in one stable word and one sentence."""

    to: int
    code: str
    text: str


class Scaler(Protocol):
    """Whatever decides about a pool's size."""

    def wish(self, step: int, now: datetime, pool: SimulatedPool, meter: Meter) -> Wish | None:
        """The size to go to now, or None. Called in every step, also while the pool scales."""


@dataclass(frozen=True, slots=True)
class Resized:
    """A resize that the pool accepted."""

    at: datetime
    before: int
    to: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """What happened, one entry of each list for each step."""

    trace: Trace
    world: World
    sizes: list[int]
    running: list[int]
    resizes: list[Resized]


def steps_of(length: timedelta, step: timedelta) -> int:
    """How many steps a duration takes, rounded up."""
    return -(-length // step)


def replay(trace: Trace, world: World, scaler: Scaler, start_size: int) -> Run:
    """Drive a scaler over the whole trace."""
    pool = SimulatedPool(start_size, steps_of(world.boot, trace.step))
    lag = steps_of(world.lag, trace.step)
    meter = Meter(trace.demand, [], [])
    sizes: list[int] = []
    resizes: list[Resized] = []
    per_instance = world.capacity / 100.0
    for step, (now, demand) in enumerate(zip(trace.times(), trace.demand, strict=True)):
        pool.advance(step)
        meter.readable = max(0, step - lag)
        wish = scaler.wish(step, now, pool, meter)
        if wish is not None and wish.to != pool.size and not pool.is_scaling:
            resizes.append(Resized(now, pool.size, wish.to, wish.code, wish.text))
            pool.resize(wish.to, step)
        running = pool.running
        sizes.append(pool.size)
        meter.running.append(running)
        meter.utilisation.append(min(100.0, demand / (per_instance * running)) if running else None)
    return Run(trace, world, sizes, meter.running, resizes)
