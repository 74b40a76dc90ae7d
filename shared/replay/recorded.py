"""A replay over what a pool has lived through: demand is read back out of its own history.

A pool that ran n instances at u per cent served u × n / 100 instances' worth of demand. That is
all that its history tells: policies on other metrics, and demand beyond 100 %, are not in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.config.models import Config
from shared.config.policy_models import Policy
from shared.engine.plan import Plan
from shared.replay.engine import EngineScaler, replayable
from shared.replay.pool import SimulatedPool, World
from shared.replay.run import Meter, Run, Scaler, Wish, replay
from shared.replay.score import Score, score
from shared.replay.trace import Trace, trace_of

STEP = timedelta(minutes=1)
MOST_DECISIONS = 2200
"""In one run; a longer time is decided less often. A week is decided every five minutes."""

PACES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60))
CPU = "CpuUtilization"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A pool in one step of its history.

    Attributes:
        at: aware UTC; the beginning of the step.
        size: the last size in it.
        running: mean count of running instances.
        cpu: mean utilisation in per cent; None where it was not known.
    """

    at: datetime
    size: int
    running: float
    cpu: float | None


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a configuration would have done.

    Attributes:
        pace: the time between two decisions.
        skipped: policies that the history cannot feed.
    """

    run: Run
    score: Score
    pace: timedelta
    skipped: tuple[str, ...]


def demand_of(points: Sequence[Recorded], width: timedelta) -> Trace:
    """Demand in units of one instance's whole capacity, minute by minute.

    Args:
        points: oldest first.
        width: the length of a point's step; its mean stands in its middle.

    Raises:
        ValueError: fewer than two points know their utilisation.
    """
    middle = width / 2
    known = [
        ((point.at + middle).timestamp(), point.cpu / 100 * point.running)
        for point in points
        if point.cpu is not None and point.running > 0
    ]
    if len(known) < 2:
        raise ValueError("its history does not know the CPU utilisation of that time")
    return trace_of(known, STEP)


def rerun(
    config: Config,
    pool: str,
    trace: Trace,
    start_size: int,
    watch: Callable[[], None] = lambda: None,
) -> Rerun:
    """Drive a configuration's pool over recorded demand, as the agent would.

    `watch` is called before every decision and may raise to end the replay.

    Raises:
        ValueError: it has policies, but none that recorded CPU utilisation can feed.
    """
    had = config.pool(pool)
    usable, skipped = replayable(config, pool, follows=feeds_on_cpu)
    if had is not None and had.policies and len(skipped) == len(had.policies):
        raise ValueError(f"none of its policies looks at {CPU} alone ({', '.join(skipped)})")
    pace = pace_of(trace)
    usable = usable.model_copy(update={"poll_interval": max(pace, usable.poll_interval)})
    world = World(capacity=1.0, start_size=start_size)
    engine = EngineScaler(Plan.of(usable, pool), trace, world.lag)
    run = replay(trace, world, Paced(engine, pace // trace.step, watch), start_size)
    return Rerun(run, score(run), pace, tuple(skipped))


def feeds_on_cpu(policy: Policy) -> bool:
    """Whether a policy's metric is the CPU utilisation that pools record."""
    total = policy.type == "target_tracking" and policy.per_instance
    return policy.metric == CPU and policy.is_percent and not total


def approximated(config: Config, pool: str) -> list[str]:
    """Replayed policies that look at single instances, of which only the mean is recorded."""
    found = config.pool(pool)
    policies = [] if found is None else found.policies
    return [p.name for p in policies if feeds_on_cpu(p) and p.statistic not in (None, "mean")]


def pace_of(trace: Trace) -> timedelta:
    """How often a replay decides, so that it ends in bounded time."""
    length = trace.end - trace.start
    return next((pace for pace in PACES if length / pace <= MOST_DECISIONS), PACES[-1])


class Paced:
    """A scaler that is asked only once in so many steps."""

    def __init__(self, scaler: Scaler, steps: int, watch: Callable[[], None]) -> None:
        self._scaler, self._steps, self._watch = scaler, max(1, steps), watch

    def wish(self, step: int, now: datetime, pool: SimulatedPool, meter: Meter) -> Wish | None:
        """What the scaler asks for, in every n-th step."""
        if step % self._steps:
            return None
        self._watch()
        return self._scaler.wish(step, now, pool, meter)
