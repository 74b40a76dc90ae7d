"""The Kubernetes Horizontal Pod Autoscaler (autoscaling/v2) with its default behaviour.

After pkg/controller/podautoscaler: `replica_calculator.go` (ratio, tolerance, unready members
counted as idle when growing) and `horizontal.go` (stabilization, rate policies). Instances that
boot, or whose first metrics are not readable yet, are its unready pods.
"""

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.config.models import Limits
from shared.replay.pool import SimulatedPool
from shared.replay.run import Meter, Wish, steps_of

_ROUNDING = 1e-9
"""66 of 60 is 1.1 and not a rounding error beyond it."""


@dataclass(frozen=True, slots=True)
class HpaRule:
    """A resource metric with its behaviour; the defaults are Kubernetes'.

    Attributes:
        target: average utilisation in per cent.
        tolerance: share of the target by which utilisation may stray.
        stabilization: of shrinking; the largest recommendation of this long counts.
        up_percent: growth in one period, or `up_count` where that is more.
        up_count: growth in one period in instances.
        down_percent: what one period may remove.
    """

    target: float = 60.0
    tolerance: float = 0.1
    stabilization: timedelta = timedelta(seconds=300)
    up_percent: float = 100.0
    up_count: int = 4
    down_percent: float = 100.0


class HpaScaler:
    """The HPA's control loop, once in every step of the replay."""

    def __init__(self, rule: HpaRule, limits: Limits, step: timedelta) -> None:
        self._rule, self._limits = rule, limits
        self._window = steps_of(rule.stabilization, step)
        # (step, recommendation), largest first: the head is the largest of the window
        self._recommended: deque[tuple[int, int]] = deque()

    def wish(self, step: int, now: datetime, pool: SimulatedPool, meter: Meter) -> Wish | None:
        """The stabilised, rate-limited recommendation."""
        del now
        if not meter.readable or (value := meter.utilisation[meter.readable - 1]) is None:
            return None
        measured = min(meter.running[meter.readable - 1], pool.running)
        recommended = self._recommend(pool.size, measured, math.floor(value))
        to = self._limited(pool.size, self._stabilised(step, recommended))
        if to == pool.size:
            return None
        return Wish(to, "hpa", f"{value:.0f} % of {self._rule.target:g} % recommends {recommended}")

    def _recommend(self, size: int, measured: int, value: int) -> int:
        rule = self._rule
        ratio = value / rule.target
        unready = size - measured
        if ratio > 1 and unready > 0:
            diluted = ratio * measured / size
            if diluted <= 1 + rule.tolerance + _ROUNDING:
                return size
            return max(size, math.ceil(diluted * size - _ROUNDING))
        if abs(ratio - 1) <= rule.tolerance + _ROUNDING:
            return size
        return math.ceil(ratio * measured - _ROUNDING)

    def _stabilised(self, step: int, recommended: int) -> int:
        kept = self._recommended
        while kept and kept[-1][1] <= recommended:
            kept.pop()
        kept.append((step, recommended))
        while kept[0][0] <= step - self._window:
            kept.popleft()
        return kept[0][1]

    def _limited(self, size: int, to: int) -> int:
        rule = self._rule
        if to > size:
            most = max(size + rule.up_count, math.ceil(size * (1 + rule.up_percent / 100)))
            to = min(to, most)
        else:
            to = max(to, math.floor(size * (1 - rule.down_percent / 100)))
        return max(self._limits.min, min(to, self._limits.max))
