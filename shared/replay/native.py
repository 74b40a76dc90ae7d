"""OCI's own metric-based autoscaling, after its documentation (Compute, Autoscaling).

Pool-wide one-minute means; three consecutive ones beyond a threshold change the size by a fixed
step; then a cooldown of at least 300 s, counted from when the pool is RUNNING again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.config.models import Limits
from shared.replay.pool import SimulatedPool
from shared.replay.run import Meter, Wish, steps_of

CONSECUTIVE = 3


@dataclass(frozen=True, slots=True)
class NativeRule:
    """One metric policy of OCI.

    Attributes:
        above: per cent above which instances are added.
        below: per cent below which they are removed.
        add: instances that one step adds.
        remove: instances that one step removes.
        cooldown: never less than 300 s.
    """

    above: float = 70.0
    below: float = 40.0
    add: int = 1
    remove: int = 1
    cooldown: timedelta = timedelta(seconds=300)


class NativeScaler:
    """Steps of a fixed size on three consecutive minutes."""

    def __init__(self, rule: NativeRule, limits: Limits, step: timedelta) -> None:
        self._rule, self._limits = rule, limits
        minute = max(1, steps_of(timedelta(minutes=1), step))
        self._minute = minute
        self._cooldown = steps_of(max(rule.cooldown, timedelta(seconds=300)), step)
        self._settled_at: int | None = None
        self._acted = False

    def wish(self, step: int, now: datetime, pool: SimulatedPool, meter: Meter) -> Wish | None:
        """One step out or in, unless the pool scales or cools down."""
        del now
        if pool.is_scaling:
            return None
        if self._acted:
            self._settled_at, self._acted = step, False
        if self._settled_at is not None and step - self._settled_at < self._cooldown:
            return None
        means = self._means(meter)
        if means is None:
            return None
        rule, to, code = self._rule, pool.size, "steady"
        if min(means) > rule.above:
            to, code = min(self._limits.max, pool.size + rule.add), "native_above"
        elif max(means) < rule.below:
            to, code = max(self._limits.min, pool.size - rule.remove), "native_below"
        if to == pool.size:
            return None
        self._acted = True
        shown = ", ".join(f"{mean:.0f}" for mean in means)
        return Wish(to, code, f"three minutes at {shown} %")

    def _means(self, meter: Meter) -> list[float] | None:
        width, end = self._minute, meter.readable
        if end < CONSECUTIVE * width:
            return None
        means = []
        for first in range(end - CONSECUTIVE * width, end, width):
            values = [v for v in meter.utilisation[first : first + width] if v is not None]
            if not values:
                return None
            means.append(sum(values) / len(values))
        return means
