"""The engine as a scaler: metric windows from the meter, decisions from decide(), nothing else."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from shared.config.models import Config
from shared.config.policy_models import Policy
from shared.engine.decide import decide
from shared.engine.model import (
    Decision,
    Memory,
    Observation,
    Point,
    PoolState,
    Reading,
    Resize,
)
from shared.engine.plan import Plan
from shared.replay.pool import SimulatedPool
from shared.replay.run import Meter, Wish, steps_of
from shared.replay.trace import Trace

Decide = Callable[[Plan, Observation, Memory], Decision]


def follows_from_demand(policy: Policy) -> bool:
    """Whether demand alone gives a policy's metric: utilisation in per cent, or a total."""
    return policy.is_percent or _is_total(policy)


def replayable(
    config: Config, pool_name: str, follows: Callable[[Policy], bool] = follows_from_demand
) -> tuple[Config, list[str]]:
    """The configuration as it can be replayed, and the policies that had to be left out.

    Utilisation in per cent and totals (`per_instance`) follow from demand; other metrics do not.
    The pool is taken as active, and overrides are left out: they are leases of today.
    """
    pool = config.pool(pool_name)
    if pool is None:
        raise KeyError(pool_name)
    kept = [policy for policy in pool.policies if follows(policy)]
    skipped = [policy.name for policy in pool.policies if policy not in kept]
    active = pool.model_copy(update={"policies": kept, "mode": "active"})
    return config.model_copy(update={"pools": [active], "overrides": []}), skipped


def _is_total(policy: Policy) -> bool:
    return policy.type == "target_tracking" and policy.per_instance


class Feed:
    """The readings of one policy: the closed windows of its interval that came through the lag."""

    def __init__(self, policy: Policy, plan: Plan, trace: Trace, lag: timedelta) -> None:
        interval = policy.effective_interval
        if interval % trace.step:
            sentence = (
                f"policy {policy.name}: its metric windows of {interval} are no multiple of the "
                f"replay's steps of {trace.step}"
            )
            raise ValueError(sentence)
        self._width = interval // trace.step
        self._offset = int(trace.start.timestamp()) // int(trace.step.total_seconds())
        self._total = _is_total(policy)
        self._start, self._step = trace.start, trace.step
        early = max(timedelta(0), plan.pool.metric_lag - lag)
        self._keep = windows_used(policy) + steps_of(early, interval)
        self._points: list[Point] = []
        self._done = 0
        self._reading: Reading | None = None

    def read(self, meter: Meter) -> Reading | None:
        """The reading that a source would give now; None before the first window."""
        while self._done < meter.readable:
            self._done += 1
            if (self._done + self._offset) % self._width == 0 and self._done >= self._width:
                self._close(meter, self._done)
        return self._reading

    def _close(self, meter: Meter, end: int) -> None:
        """Add the window that ends with step `end`, unless nothing ran in it."""
        width, count = self._width, meter.running[end - 1]
        samples: int | None = count
        value: float | None
        if self._total:
            value = meter.demand[end - 1] if width == 1 else _mean(meter.demand[end - width : end])
            samples = None
        elif width == 1:
            value = meter.utilisation[end - 1]
        else:
            value, samples = _utilisation(meter, end - width, end)
        if value is None:
            return
        at, points = self._start + end * self._step, self._points
        points.append((at, value, samples))
        if len(points) > 4 * self._keep + 64:
            del points[: -self._keep]
        history = tuple(points[-self._keep : -1]) if self._keep > 1 else ()
        self._reading = Reading(value, at, samples, None, history)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _utilisation(meter: Meter, first: int, end: int) -> tuple[float | None, int | None]:
    """The mean over all instances and steps; the count only where it did not change."""
    counts = meter.running[first:end]
    instances = sum(counts)
    if not instances:
        return None, None
    used = sum(
        value * count
        for value, count in zip(meter.utilisation[first:end], counts, strict=True)
        if value is not None
    )
    return used / instances, counts[0] if min(counts) == max(counts) else None


def windows_used(policy: Policy) -> int:
    """How many of the newest trusted windows a policy can look at."""
    interval = policy.effective_interval
    if policy.type == "target_tracking":
        return max(1, policy.demand.window // interval) if policy.demand else 1
    ladders = [ladder for ladder in (policy.scale_out, policy.scale_in) if ladder is not None]
    return max(1, *(steps_of(ladder.for_, interval) for ladder in ladders))


class EngineScaler:
    """decide() with its memory, in place of an agent."""

    def __init__(
        self, plan: Plan, trace: Trace, lag: timedelta, decide_pool: Decide = decide
    ) -> None:
        self._plan = plan
        self._decide = decide_pool
        self._memory = Memory()
        self._feeds = [(p.name, Feed(p, plan, trace, lag)) for p in plan.pool.policies]
        self._seen: tuple[int, int] | None = None
        self._state = PoolState(0, 0, "RUNNING")

    def wish(self, step: int, now: datetime, pool: SimulatedPool, meter: Meter) -> Wish | None:
        """Observe the pool and the meter, decide, keep the memory."""
        del step
        if self._seen != (pool.size, pool.running):
            self._seen = (pool.size, pool.running)
            state = "SCALING" if pool.is_scaling else "RUNNING"
            self._state = PoolState(pool.size, pool.running, state)
        readings = {
            name: reading for name, feed in self._feeds if (reading := feed.read(meter)) is not None
        }
        seen = Observation(now=now, pool=self._state, metrics=readings)
        decision = self._decide(self._plan, seen, self._memory)
        self._memory = decision.verdict.memory
        if not isinstance(decision, Resize):
            return None
        reasons = decision.verdict.reasons
        decisive = reasons[-2] if len(reasons) > 1 else reasons[-1]
        return Wish(decision.to, decisive.code.value, reasons[-1].text)


def target_of(plan: Plan) -> Fraction:
    """The pool's first utilisation target, for comparable rules of other scalers; else 60."""
    for policy in plan.pool.policies:
        if policy.type == "target_tracking" and policy.is_percent and not policy.per_instance:
            return policy.target
    return Fraction(60)
