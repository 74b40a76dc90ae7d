"""What a policy may look at, and what all policies say the same way."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.config.policy_models import MetricPolicy
from shared.engine import counts
from shared.engine.model import Member, NoData, NoOpinion, Vote
from shared.engine.reasons import Code, Reason
from shared.engine.samples import Series, Window
from shared.engine.wording import span


class Scene(NamedTuple):
    """One tick as seen by one policy.

    Attributes:
        settled_at: when the pool's last change had settled; None when none is remembered.
        unsettled: a change is under way.
        error: why the source had no answer.
    """

    now: datetime
    size: int
    active: int
    series: Series
    counts: counts.Counts
    members: tuple[Member, ...] | None
    warmup: timedelta
    settled_at: datetime | None
    unsettled: bool
    error: str | None = None

    def running_during(self, end: datetime, interval: timedelta) -> tuple[int, int]:
        """Smallest and largest running count while a window with that END was measured."""
        if len(self.counts) == 1:
            return self.counts[0][1], self.counts[0][1]
        return counts.between(self.counts, end - interval, end, self.active)

    def warming_at(self, at: datetime) -> set[str]:
        """Running members that had not run for `warmup` at that instant."""
        return {
            member.id
            for member in self.members or ()
            if member.running_since is not None
            and at - member.running_since < self.warmup
            and member.is_running
        }

    def silent_at(self, window: Window, interval: timedelta, reporting: Collection[str]) -> int:
        """How many warm members should have reported in the window and did not."""
        if self.members is None:
            return max(0, self.running_during(window.at, interval)[0] - len(reporting))
        warming = self.warming_at(window.at)
        return sum(
            member.is_running
            and member.id not in reporting
            and member.id not in warming
            and (member.running_since is None or member.running_since <= window.at - interval)
            for member in self.members
        )


def label_of(policy: MetricPolicy) -> str:
    """What sentences call the policy's value: the metric's name, or the policy's for a query."""
    return policy.metric or policy.name


def no_data(policy: MetricPolicy, scene: Scene) -> Vote:
    """The vote of a policy that has nothing fresh to look at, saying which of the causes it is."""
    label, series = label_of(policy), scene.series
    if scene.error is not None:
        reason = Reason(Code.METRIC_ERROR, f"{label} could not be read: {scene.error}")
    elif series.points:
        age = span(scene.now - series.points[-1][0])
        reason = Reason(Code.METRIC_STALE, f"the newest {label} is {age} old")
    else:
        reason = Reason(Code.NO_DATA, f"there is no trusted {label}")
    return Vote(policy.name, label, NoData(), reason, rejected=series.rejected)


def size_zero(policy: MetricPolicy, scene: Scene) -> Vote:
    """The vote of a utilisation policy on an empty pool: nothing runs, so nothing is utilised."""
    text = f"{label_of(policy)} has no meaning while no instance runs"
    return Vote(
        policy.name,
        label_of(policy),
        NoOpinion(),
        Reason(Code.SIZE_ZERO, text),
        rejected=scene.series.rejected,
    )
