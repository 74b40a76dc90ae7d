"""Step policies: the farthest rung whose threshold held in every closed window of `for`.

A missing window breaks the run, and windows that closed before the last change had settled and
warmed up do not count: they measured another pool.
"""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from shared.config.policy_models import Step
from shared.config.units import Amount, format_duration
from shared.engine.model import Edge, NoOpinion, Vote, Wanted
from shared.engine.policies.scene import Scene, label_of, no_data, size_zero
from shared.engine.reasons import Code, Reason
from shared.engine.samples import Window
from shared.engine.totals import Total
from shared.engine.wording import amount, instances


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder, ready to compare."""

    bound: Fraction
    bound_float: float
    amount: Amount


def _rungs(steps: list[tuple[Fraction, Amount]]) -> tuple[Rung, ...]:
    return tuple(Rung(bound, float(bound), amount) for bound, amount in steps)


class StepVoter:
    """A step policy with its ladders sorted, the farthest rung first."""

    def __init__(self, policy: Step) -> None:
        self.policy = policy
        self.label = label_of(policy)
        self.percent = policy.is_percent
        self.is_utilisation = policy.metric is not None
        self.is_mean = self.is_utilisation and policy.statistic in {None, "mean"}
        self.interval = policy.effective_interval
        out, into = policy.scale_out, policy.scale_in
        self.out_windows = max(1, -(-out.for_ // self.interval)) if out else 0
        self.in_windows = max(1, -(-into.for_ // self.interval)) if into else 0
        self.longest = max(self.out_windows, self.in_windows)
        ups = sorted(((s.above, s.add) for s in out.steps), reverse=True) if out else []
        downs = sorted((s.below, s.remove) for s in into.steps) if into else []
        self.ups, self.downs = _rungs(ups), _rungs(downs)

    def __call__(self, scene: Scene) -> Vote:
        """Find the farthest rung that held; growing is looked at first."""
        if self.is_utilisation and scene.size == 0:
            return size_zero(self.policy, scene)
        window = scene.series.newest
        if scene.error is not None or window is None:
            return no_data(self.policy, scene)
        if self.is_utilisation and scene.active == 0:
            return size_zero(self.policy, scene)
        run = self._run(scene, window)
        rung = self._held(self.ups, run, self.out_windows)
        if rung is not None:
            need = scene.size + rung.amount.added_to(scene.size)
            return self._vote(scene, window, Wanted(need), self._breach(rung, need, grows=True))
        rung = self._held_in(scene, run)
        if rung is not None and scene.size > 0:
            need = max(0, scene.size - rung.amount.removed_from(scene.size))
            return self._vote(scene, window, Wanted(need), self._breach(rung, need, grows=False))
        shown = amount(window.value, percent=self.percent)
        text = f"{self.label} {shown} has not stayed beyond a threshold"
        return self._vote(scene, window, NoOpinion(), Reason(Code.NO_BREACH, text))

    def _run(self, scene: Scene, newest: Window) -> list[Window]:
        """The unbroken run of windows that ends with the newest, newest first."""
        if scene.unsettled:
            return []
        since = scene.settled_at + scene.warmup if scene.settled_at is not None else None
        run: list[Window] = []
        expected = newest.at
        for point in reversed(scene.series.points[-self.longest :]):
            window = Window(*point)
            if window.at != expected or (since is not None and window.at < since):
                break
            run.append(window)
            expected -= self.interval
        return run

    def _held(self, rungs: tuple[Rung, ...], run: list[Window], needed: int) -> Rung | None:
        if not rungs or len(run) < needed:
            return None
        for rung in rungs:
            if all(
                Total((w.value,)).compare(rung.bound, rung.bound_float) > 0 for w in run[:needed]
            ):
                return rung
        return None

    def _held_in(self, scene: Scene, run: list[Window]) -> Rung | None:
        needed = self.in_windows
        if not self.downs or len(run) < needed:
            return None
        for rung in self.downs:
            if all(self._is_below(scene, w, rung) for w in run[:needed]):
                return rung
        return None

    def _is_below(self, scene: Scene, window: Window, rung: Rung) -> bool:
        """Below the threshold even if every silent member were busy: a gap never shrinks a pool."""
        if not self.is_mean or window.samples is None:
            return Total((window.value,)).compare(rung.bound, rung.bound_float) < 0
        least, _ = scene.running_during(window.at, self.interval)
        silent = max(0, least - window.samples)
        fill = 100.0 if self.percent else rung.bound_float
        total = Total((window.value,), window.samples, fill, silent)
        return total.compare(rung.bound, rung.bound_float, window.samples + silent) < 0

    def _breach(self, rung: Rung, need: int, *, grows: bool) -> Reason:
        ladder = self.policy.scale_out if grows else self.policy.scale_in
        held = format_duration(ladder.for_ if ladder else timedelta(0))
        bound = amount(rung.bound_float, percent=self.percent)
        if grows:
            text = f"{self.label} above {bound} for {held} adds {rung.amount}: {instances(need)}"
            return Reason(Code.STEP_OUT, text)
        text = f"{self.label} below {bound} for {held} removes {rung.amount}: {instances(need)}"
        return Reason(Code.STEP_IN, text)

    def _vote(
        self, scene: Scene, window: Window, opinion: Wanted | NoOpinion, reason: Reason
    ) -> Vote:
        size = scene.size
        _, running = scene.running_during(window.at, self.interval)
        count = max(window.samples or 0, running)
        lowest = self.ups[-1] if self.ups else None
        highest = self.downs[-1] if self.downs else None
        return Vote(
            self.policy.name,
            self.label,
            opinion,
            reason,
            value=window.value,
            at=window.at,
            load=window.value * count if self.is_utilisation else None,
            out_threshold=lowest.bound_float if lowest else None,
            grows=Edge(lowest.bound_float, size + lowest.amount.added_to(size)) if lowest else None,
            shrinks=Edge(highest.bound_float, max(0, size - highest.amount.removed_from(size)))
            if highest and size
            else None,
            rejected=scene.series.rejected,
        )


def compile(policy: Step) -> StepVoter:  # noqa: A001 # every kind's module has it
    """Prepare a policy's ladders once, for many votes."""
    return StepVoter(policy)
