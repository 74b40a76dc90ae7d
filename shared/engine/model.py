"""The values that go into a decision and come out of it. Frozen, without behaviour of their own.

What every tick makes anew is a named tuple: it is built in a fifth of a frozen dataclass's time.

Instants are aware UTC. Sizes are instance counts. `size` is what OCI was asked for, `active` the
count of instances that run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from shared.engine.reasons import Reason

Point = tuple[datetime, object, int | None]
"""One metric window: its END, its value as the source gave it, the instances that reported."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metric source answered for one policy. Nothing in it is trusted yet.

    Attributes:
        value: the newest window's value over all instances (already by the policy's statistic).
        at: END of that window.
        samples: how many instances reported in it; None when the source cannot tell.
        instances: the value of each instance in it, by OCID; None when not known per instance.
        history: earlier windows, in any order.
        error: why there is no answer (one sentence); everything else is then empty.
    """

    value: object = None
    at: datetime | None = None
    samples: int | None = None
    instances: Mapping[str, object] | None = None
    history: tuple[Point, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One instance of the pool. `running_since` is when it was first seen Running."""

    id: str
    state: str
    running_since: datetime | None = None

    @property
    def is_running(self) -> bool:
        """OCI writes the state freely ("Running", "RUNNING"): compared without case."""
        return self.state.upper() == "RUNNING"


@dataclass(frozen=True, slots=True)
class PoolState:
    """The pool as OCI shows it. `instances` is None when the members were not listed."""

    size: int
    active: int
    state: str
    instances: tuple[Member, ...] | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Back-off after failed writes.

    Attributes:
        scale_out_until: growth waits until then (capacity or quota).
        writes_until: every write waits until then (another failure that is not retried at once).
        code: what failed, such as OutOfCapacity.
    """

    scale_out_until: datetime | None = None
    writes_until: datetime | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """What the node's owner allows, whatever the YAML says.

    Attributes:
        min: never fewer instances.
        max: never more instances.
        removable: how many instances may still be removed within the current hour.
    """

    min: int | None = None
    max: int | None = None
    removable: int | None = None


@dataclass(frozen=True, slots=True)
class LastWrite:
    """Our newest accepted resize; until OCI shows it, what it shows is old."""

    to: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that one decision looks at, gathered beforehand.

    Attributes:
        now: read once for the tick.
        pool: what OCI shows; None with a `problem`.
        problem: why `pool` is None: missing, forbidden or unknown (not readable now).
        metrics: a reading for each policy, by name; a policy left out has no data.
        elapsed: seconds of monotonic time since the decision that made the memory; None after a
            restart. Tells a clock that was set from time that has passed.
    """

    now: datetime
    pool: PoolState | None
    problem: Literal["missing", "forbidden", "unknown"] | None = None
    metrics: Mapping[str, Reading] = field(default_factory=dict)
    blocked: Blocked | None = None
    guard: Guard | None = None
    last_write: LastWrite | None = None
    elapsed: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A policy's opinion: this many instances."""

    size: int


@dataclass(frozen=True, slots=True)
class NoData:
    """A policy that cannot see: it blocks scale-in and nothing else."""


@dataclass(frozen=True, slots=True)
class NoOpinion:
    """A policy that sees and asks for nothing."""


class Edge(NamedTuple):
    """Where a policy's mind changes: beyond `value` it would go to `size`."""

    value: float
    size: int


class Vote(NamedTuple):
    """What one policy says about this tick.

    Attributes:
        policy: its name.
        label: the metric's name, for sentences.
        opinion: one of the three kinds of opinion.
        reason: why.
        value: the newest trusted value, as used.
        at: END of its window.
        load: value times the instances it was measured on; the anti-flap projection divides it.
        out_threshold: the projected value above which this policy would scale out again.
        headroom: instances that it keeps beside those that carry the load.
        grows: where it would start to grow; None when nothing makes it grow.
        shrinks: where it would start to shrink.
        rejected: samples refused, by kind.
    """

    policy: str
    label: str
    opinion: Wanted | NoData | NoOpinion
    reason: Reason
    value: float | None = None
    at: datetime | None = None
    load: float | None = None
    out_threshold: float | None = None
    headroom: int = 0
    grows: Edge | None = None
    shrinks: Edge | None = None
    rejected: tuple[tuple[str, int], ...] = ()


class Bounds(NamedTuple):
    """Floor and ceiling in force now, and what set them."""

    floor: int
    ceiling: int
    reasons: tuple[Reason, ...] = ()
    override: str | None = None
    schedules: tuple[str, ...] = ()

    def clamp(self, size: int) -> int:
        """The size within the bounds that is nearest to `size`."""
        return max(self.floor, min(size, self.ceiling))


class NeedRun(NamedTuple):
    """The combined need was `need` at every tick from `first` to `last`."""

    first: datetime
    last: datetime
    need: int


class Memory(NamedTuple):
    """What a decision must remember of the ones before. Small, serialisable, safe to lose.

    Attributes:
        at: `now` of the decision that made it.
        policies: fingerprint of the policies under which `needs` were computed.
        needs: the combined need of every tick with data, before bounds, as runs.
        counts: the running count from an instant on, oldest first.
        size: the pool's size when last seen.
        change: direction of a size change that has not settled yet.
        changed_at: when that change was first seen.
        changing: how many instances that change adds or removes.
        settled_at: when the last change (either direction, whoever made it) had settled.
        settled_out_at: the same for the last growth.
        busy_since: since when the pool has been busy (SCALING …).
        mode: the pool's mode at that decision.
        reentering: the pool left pause or observe and is not inside its bounds yet.
    """

    at: datetime | None = None
    policies: str = ""
    needs: tuple[NeedRun, ...] = ()
    counts: tuple[tuple[datetime, int], ...] = ()
    size: int | None = None
    change: Literal["out", "in"] | None = None
    changed_at: datetime | None = None
    changing: int = 0
    settled_at: datetime | None = None
    settled_out_at: datetime | None = None
    busy_since: datetime | None = None
    mode: str | None = None
    reentering: bool = False


class Wait(NamedTuple):
    """Something ends at `until` and may change the decision then."""

    until: datetime
    what: str


class Verdict(NamedTuple):
    """What every decision carries, whether it acts or not.

    Attributes:
        current: the pool's size now.
        desired: the size the engine would go to if nothing stood in the way of acting.
        reasons: every stage's word, in order; the last one is decisive.
        votes: one for each policy.
        bounds: floor and ceiling in force.
        waits: what would have to pass for something to happen.
        memory: to be given to the next decision.
        status: healthy, warning or error, for the pool's status.
    """

    current: int
    desired: int
    reasons: tuple[Reason, ...]
    votes: tuple[Vote, ...]
    bounds: Bounds
    waits: tuple[Wait, ...]
    memory: Memory
    status: Literal["healthy", "warning", "error"] = "healthy"


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave the pool as it is."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Resize:
    """Set the pool's size to `to`. `cause` is what moved it: metrics, bounds or override."""

    to: int
    cause: Literal["metrics", "bounds", "override"]
    verdict: Verdict

    @property
    def is_growth(self) -> bool:
        """Whether the pool grows."""
        return self.to > self.verdict.current


Decision = Hold | Resize
