"""Target tracking: size the pool so that the metric returns to its target.

The need is ceil(value × n / target) where n is the count of instances that PRODUCED the value,
not the count of now: a value measured on 4 instances says nothing about 8. Damping for members
without data follows the Kubernetes HPA (KEP 853): idle when growing, busy when shrinking.

`headroom` is a count beside the need: the load is held against n - headroom instances, and the need
is that much larger.
"""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from shared.config.policy_models import TargetTracking
from shared.engine.counts import Counts
from shared.engine.demand import ranked_demand, ranked_totals, since
from shared.engine.model import Edge, Vote, Wanted
from shared.engine.policies.scene import Scene, label_of, no_data, size_zero
from shared.engine.reasons import Code, Reason
from shared.engine.samples import Sample, Window
from shared.engine.totals import Total
from shared.engine.wording import amount, instances, span

_EPSILON = 1e-9
"""Sentences about edges need no rationals: what is a whole number to a billionth is one."""


class Load(NamedTuple):
    """The load of a window as seen by someone who wants to grow and by one who wants to shrink.

    `out` over `out_count` instances is the utilisation that may justify growth (unknown members
    count as idle); `into` over `into_count` the one that may justify shrinking (they count as
    busy). `damped` tells that the two differ because of members without trusted data.
    """

    out: Total
    out_count: int
    into: Total
    into_count: int
    plain: float
    damped: str = ""


class TargetTrackingVoter:
    """A target-tracking policy with its numbers prepared."""

    def __init__(self, policy: TargetTracking) -> None:
        self.policy = policy
        self.label = label_of(policy)
        self.percent = policy.is_percent
        self.target = policy.target
        self.target_float = float(policy.target)
        self.out_edge = policy.target * (1 + policy.tolerance.out)
        self.out_float = float(self.out_edge)
        self.in_edge = policy.target * (1 - policy.tolerance.in_)
        self.in_float = float(self.in_edge)
        self.spare = policy.headroom
        self.beside = f" beside {instances(self.spare)} of headroom" if self.spare else ""
        self.interval: timedelta = policy.effective_interval
        self.is_mean = policy.metric is not None and policy.statistic in {None, "mean"}
        self.expected = max(1, policy.demand.window // self.interval) if policy.demand else 0
        self.what = ""
        if policy.demand is not None:
            over = span(policy.demand.window)
            self.what = f"p{policy.demand.percentile} of {self.label} over {over}"
        self._last: tuple[Sequence[Sample], Counts, tuple[Total, Total]] | None = None
        self.fill = max(100.0, self.target_float) if self.percent else self.target_float
        self.aim = amount(self.target_float, percent=self.percent)
        low = amount(self.in_float, percent=self.percent)
        high = amount(self.out_float, percent=self.percent)
        self.around = f"{low} to {high}"

    def __call__(self, scene: Scene) -> Vote:
        """Compare the load with the target, on the instances that carried it."""
        if scene.size == 0 and not self.policy.per_instance:
            return size_zero(self.policy, scene)
        window = scene.series.newest
        if scene.error is not None or window is None:
            return no_data(self.policy, scene)
        if self.policy.per_instance:
            load = self._total(scene, window)
        elif scene.active == 0:
            return size_zero(self.policy, scene)
        elif self.is_mean:
            load = self._mean(scene, window)
        else:
            load = self._flat(scene, window)
        if self.policy.demand is not None:
            return self._by_demand(scene, window, load)
        return self._by_newest(scene, window, load)

    # what the newest window says -------------------------------------------------------------

    def _total(self, scene: Scene, window: Window) -> Load:
        """A total does not depend on who measured it: it is compared with the size of now."""
        total = Total((window.value,))
        return Load(total, scene.size, total, scene.size, window.value)

    def _flat(self, scene: Scene, window: Window) -> Load:
        """A maximum, percentile or query result, on the instances of its window; not damped."""
        low = high = window.samples or len(scene.series.instances or ())
        if not low:
            low, high = scene.running_during(window.at, self.interval)
        out, into = Total((window.value,), low), Total((window.value,), high)
        return Load(out, low, into, high, window.value)

    def _mean(self, scene: Scene, window: Window) -> Load:
        """A mean per instance, damped for members that are silent or still warming up."""
        reporting = scene.series.instances
        if reporting is None:
            return self._counted_mean(scene, window)
        warming = scene.warming_at(window.at)
        ready = [value for key, value in reporting.items() if key not in warming]
        silent = scene.silent_at(window, self.interval, reporting)
        plain = math.fsum(ready) / len(ready) if ready else window.value
        return Load(
            Total(ready),
            len(ready) + silent + len(warming),
            Total(ready, 1, self.fill, silent),
            len(ready) + silent,
            plain,
            self._damping(silent, len(warming)),
        )

    def _counted_mean(self, scene: Scene, window: Window) -> Load:
        """A mean of which only the count of reporting instances is known, or not even that."""
        if window.samples is None:
            return self._flat(scene, window)
        least, _ = scene.running_during(window.at, self.interval)
        silent = max(0, least - window.samples)
        out = Total((window.value,), window.samples)
        into = Total((window.value,), window.samples, self.fill, silent) if silent else out
        count = window.samples + silent
        return Load(out, count, into, count, window.value, self._damping(silent, 0))

    def _damping(self, silent: int, warming: int) -> str:
        if not silent and not warming:
            return ""
        parts = []
        if silent:
            parts.append(f"{instances(silent)} without data")
        if warming:
            parts.append(f"{instances(warming)} warming up")
        return " and ".join(parts)

    # opinions --------------------------------------------------------------------------------

    def _by_newest(self, scene: Scene, window: Window, load: Load) -> Vote:
        size, shown = scene.size, amount(load.plain, percent=self.percent)
        need = self._wanted(load, size)
        if need is None:
            return self._vote(scene, window, load, size, self._stays(load, shown, size))
        code = Code.DAMPED if load.damped else Code.OFF_TARGET
        noted = f" (with {load.damped} counted in)" if load.damped else ""
        what = "total" if self.policy.per_instance else "at"
        needs = f"needs {instances(need - self.spare)}{self.beside}{noted}"
        text = f"{self.label} {what} {shown} with target {self.aim} {needs}"
        return self._vote(scene, window, load, need, Reason(code, text))

    def _wanted(self, load: Load, size: int) -> int | None:
        """The need outside the tolerance, or None to stay: inside, or flipped by what is unknown.

        A value measured on more or fewer instances than there are now may ask for the other
        direction than its own; that stands unless members without data could explain it.
        """
        spare = self.spare
        if load.out.compare(self.out_edge, self.out_float, load.out_count - spare) > 0:
            low = load.out.divided_up(self.target, self.target_float) + spare
            if low > size:
                return low
            high = load.into.divided_up(self.target, self.target_float) + spare
            return None if load.damped or high >= size else high
        if load.into.compare(self.in_edge, self.in_float, load.into_count - spare) < 0:
            high = load.into.divided_up(self.target, self.target_float) + spare
            if high < size:
                return high
            low = load.out.divided_up(self.target, self.target_float) + spare
            return None if load.damped or low <= size else low
        return None

    def _stays(self, load: Load, shown: str, size: int) -> Reason:
        shares = load.out_count / max(1, load.out_count - self.spare)
        is_outside = not self.in_float <= load.plain * shares <= self.out_float
        if load.damped and is_outside:
            text = f"{self.label} {shown} is not acted on: {load.damped}"
            return Reason(Code.DAMPED, text)
        if load.out_count != load.into_count:
            text = f"{self.label} {shown} on {load.out_count} to {load.into_count} instances"
            return Reason(Code.ON_TARGET, f"{text}, as the count changed, asks for no change")
        if is_outside and not self.policy.per_instance:
            needs = f"still needs {instances(size - self.spare)}{self.beside}"
            text = f"{self.label} at {shown} with target {self.aim} {needs}"
            return Reason(Code.OFF_TARGET, text)
        if self.policy.per_instance:
            text = f"{self.label} total {shown} is within {self.around} per instance{self.beside}"
        else:
            text = f"{self.label} {shown} is within {self.around}{self.beside}"
        return Reason(Code.ON_TARGET, text)

    def _by_demand(self, scene: Scene, window: Window, load: Load) -> Vote:
        """Size for a percentile of recent demand: each window's value × its own instances."""
        demand = self.policy.demand
        assert demand is not None  # noqa: S101 # the caller has looked
        recent = since(scene.series.points, window.at - demand.window)
        present = 20 * len(recent)  # in twentieths of a window, to compare shares as integers
        grow, keep = self._demand_of(scene, recent, demand.percentile)
        size = scene.size
        out_need = keep_need = size
        if grow.compare(self.out_edge, self.out_float, size - self.spare) > 0:
            out_need = grow.divided_up(self.target, self.target_float) + self.spare
        if keep.compare(self.in_edge, self.in_float, size - self.spare) < 0:
            keep_need = keep.divided_up(self.target, self.target_float) + self.spare
        served = Load(grow, size, keep, size, load.plain)
        what = self.what
        if out_need > size and present >= 10 * self.expected:
            text = f"{what} needs {instances(out_need - self.spare)}{self.beside}"
            return self._vote(scene, window, served, out_need, Reason(Code.DEMAND_PERCENTILE, text))
        if keep_need < size and present >= 16 * self.expected:
            text = f"{what} needs only {instances(keep_need - self.spare)}{self.beside}"
            return self._vote(
                scene, window, served, keep_need, Reason(Code.DEMAND_PERCENTILE, text)
            )
        if out_need == size == keep_need and present >= 16 * self.expected:
            text = f"{what} is served by {instances(size - self.spare)}{self.beside}"
            return self._vote(scene, window, served, size, Reason(Code.DEMAND_PERCENTILE, text))
        newest = self._wanted(load, size) or size
        known = f"{len(recent)} of {self.expected} windows"
        text = f"{what} is known for {known} only: its newest value may grow the pool"
        need = max(size, newest)
        return self._vote(scene, window, load, need, Reason(Code.DEMAND_INCOMPLETE, text))

    def _demand_of(
        self, scene: Scene, recent: Sequence[Sample], percentile: int
    ) -> tuple[Total, Total]:
        """The percentile to grow by and the one to shrink by; kept while no window closes."""
        points, known = scene.series.points, scene.counts
        if self._last is not None and self._last[0] is points and self._last[1] is known and known:
            return self._last[2]
        rank = -(-percentile * len(recent) // 100) - 1
        if self.policy.per_instance:
            found = ranked_totals(recent, rank)
        else:
            found = ranked_demand(recent, rank, known, self.interval, scene.active)
        self._last = (points, known, found)
        return found

    def _vote(self, scene: Scene, window: Window, load: Load, need: int, reason: Reason) -> Vote:
        grows, shrinks = self._edges(scene.size, load)
        return Vote(
            self.policy.name,
            self.label,
            Wanted(need),
            reason,
            value=load.plain,
            at=window.at,
            load=load.into.approximate,
            out_threshold=self.out_float,
            headroom=self.spare,
            grows=grows,
            shrinks=shrinks,
            rejected=scene.series.rejected,
        )

    def _edges(self, size: int, load: Load) -> tuple[Edge | None, Edge | None]:
        """The values at which this policy would ask for more, and for less, than `size`."""
        spare, target = self.spare, self.target_float
        if self.policy.per_instance:  # the tolerance is per instance, the load is the value itself
            out_count = into_count = 1
            low, high = self.in_float * (size - spare), self.out_float * (size - spare)
        else:
            out_count, into_count = load.out_count or 1, load.into_count or 1
            low = self.in_float * (into_count - spare) / into_count
            high = self.out_float * (out_count - spare) / out_count
        more = max(high, target * (size - spare) / out_count, 0.0)
        above = math.floor(more * out_count / target + _EPSILON) + 1 + spare
        grows = Edge(more, max(size + 1, above))
        less = min(low, target * (size - 1 - spare) / into_count)
        if less <= 0:
            return grows, None
        below = math.ceil(less * into_count / target - _EPSILON) + spare
        return grows, Edge(less, min(size - 1, below))


def compile(policy: TargetTracking) -> TargetTrackingVoter:  # noqa: A001 # every kind's module has it
    """Prepare a policy's numbers once, for many votes."""
    return TargetTrackingVoter(policy)
