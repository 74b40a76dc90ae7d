"""Small worlds for the decision engine: name only what a case is about, the rest is calm.

A calm world: Thursday noon in UTC, a settled pool of ten in state RUNNING, one policy that keeps
the CPU at 60 %, its newest window two minutes old (just trusted), ten minutes of history.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.config.models import Config
from shared.engine.decide import decide
from shared.engine.model import (
    Blocked,
    Decision,
    Guard,
    LastWrite,
    Member,
    Memory,
    NeedRun,
    Observation,
    PoolState,
    Reading,
    Resize,
    Vote,
    Wanted,
)
from shared.engine.plan import Plan

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EAGER: dict[str, Any] = {
    "stabilization": {"scale_out": "0s", "scale_in": "0s"},
    "cooldown": {"scale_out": "0s", "scale_in": "0s"},
    "max_step": {"scale_out": "10000%", "scale_in": "100%"},
}
"""Pool keys that let every need through at once, for cases about something else."""


def ago(minutes: float) -> datetime:
    """That many minutes before noon."""
    return NOON - timedelta(minutes=minutes)


def cpu(**keys: Any) -> dict[str, Any]:
    """Target tracking of the CPU at 60 %, within 10 %."""
    policy = {"name": "cpu", "type": "target_tracking", "metric": "CpuUtilization", "target": 60}
    return {**policy, **keys}


def queue(**keys: Any) -> dict[str, Any]:
    """A total divided over the instances, 100 each."""
    return {
        "name": "queue",
        "type": "target_tracking",
        "namespace": "my_app",
        "query": "QueueDepth[1m].max()",
        "per_instance": True,
        "target": 100,
        **keys,
    }


def ladder(**keys: Any) -> dict[str, Any]:
    """Steps on memory: +2 above 80 for 3 min, half more above 95; -1 below 30 for 5 min."""
    return {
        "name": "memory",
        "type": "step",
        "metric": "MemoryUtilization",
        "scale_out": {"for": "3m", "steps": [{"above": 80, "add": 2}, {"above": 95, "add": "50%"}]},
        "scale_in": {"for": "5m", "steps": [{"below": 30, "remove": 1}]},
        **keys,
    }


def config(
    *policies: dict[str, Any],
    schedules: Sequence[dict[str, Any]] = (),
    overrides: Sequence[dict[str, Any]] = (),
    poll: str = "30s",
    timezone: str = "UTC",
    **pool: Any,
) -> Config:
    """A configuration with the one pool `web`, limits 1 to 50."""
    web = {
        "name": "web",
        "instance_pool_id": "ocid1.instancepool.oc1.eu-frankfurt-1.web",
        "compartment_id": "ocid1.compartment.oc1..shop",
        "region": "eu-frankfurt-1",
        "limits": {"min": 1, "max": 50},
        "policies": list(policies),
    }
    return Config.model_validate(
        {
            "version": 1,
            "timezone": timezone,
            "poll_interval": poll,
            "pools": [{**web, **pool}],
            "schedules": list(schedules),
            "overrides": [{"pool": "web", "reason": "load test", **o} for o in overrides],
        }
    )


def plan(*policies: dict[str, Any], **keys: Any) -> Plan:
    """The plan of the pool `web`."""
    return Plan.of(config(*policies, **keys), "web")


def window(name: str, start: str, end: str, target: int, **keys: Any) -> dict[str, Any]:
    """A schedule."""
    return {"name": name, "start": start, "end": end, "target_instances": target, **keys}


def series(*values: object, newest: float = 2, samples: int | None = None) -> Reading:
    """Windows of a minute, newest first; the newest ended `newest` minutes ago; None: missing."""
    points = [(ago(newest + i), value, samples) for i, value in enumerate(values)]
    (at, value, count), *older = points
    history = tuple(point for point in older if point[1] is not None)
    return Reading(value=value, at=at, samples=count, history=history)


def reading_at(now: datetime, value: object, samples: int | None = None) -> Reading:
    """A newest window that has just become trusted at `now`."""
    return Reading(value=value, at=now - timedelta(minutes=2), samples=samples)


def per_instance(values: Mapping[str, object], newest: float = 2) -> Reading:
    """The newest window, known per instance."""
    good = [v for v in values.values() if isinstance(v, int | float)]
    mean = sum(good) / len(good) if good else None
    return Reading(value=mean, at=ago(newest), samples=len(values), instances=values)


def member(name: str, ran_for: float | None = 60, state: str = "Running") -> Member:
    """An instance that has been Running for that many minutes at noon."""
    return Member(name, state, None if ran_for is None else ago(ran_for))


def seen(
    size: int = 10,
    active: int | None = None,
    *,
    now: datetime = NOON,
    state: str = "RUNNING",
    members: Sequence[Member] | None = None,
    blocked: Blocked | None = None,
    guard: Guard | None = None,
    last_write: LastWrite | None = None,
    elapsed: float | None = None,
    **metrics: Reading | float,
) -> Observation:
    """A pool at noon. `cpu=90` is a newest window of 90; a Reading says more."""
    return Observation(
        now=now,
        pool=PoolState(
            size,
            size if active is None else active,
            state,
            None if members is None else tuple(members),
        ),
        metrics={k: m if isinstance(m, Reading) else series(m) for k, m in metrics.items()},
        blocked=blocked,
        guard=guard,
        last_write=last_write,
        elapsed=elapsed,
    )


def watched(
    the_plan: Plan,
    size: int = 10,
    /,
    *,
    need: int | None = None,
    minutes: float = 30,
    **changes: Any,
) -> Memory:
    """Memory of a pool watched for that long until half a minute ago, settled, one need."""
    last = ago(0.5)
    memory: dict[str, Any] = {
        "at": last,
        "policies": the_plan.fingerprint,
        "needs": (NeedRun(ago(minutes), last, size if need is None else need),),
        "counts": ((ago(max(minutes, 120)), size),),
        "size": size,
        "mode": the_plan.pool.mode,
    }
    return Memory(**{**memory, **changes})


def size_after(decision: Decision) -> int:
    """The size that the pool has after the decision."""
    return decision.to if isinstance(decision, Resize) else decision.verdict.current


def codes(decision: Decision) -> list[str]:
    """The codes of all reasons, in order."""
    return [reason.code.value for reason in decision.verdict.reasons]


def decisive(decision: Decision) -> str:
    """The code of the last reason."""
    return decision.verdict.reasons[-1].code.value


def texts(decision: Decision) -> str:
    """All sentences, one a line."""
    return "\n".join(reason.text for reason in decision.verdict.reasons)


def vote_of(the_plan: Plan, observation: Observation, memory: Memory | None = None) -> Vote:
    """The vote of the first policy."""
    memory = watched(the_plan) if memory is None else memory
    return decide(the_plan, observation, memory).verdict.votes[0]


def wanted(vote: Vote) -> int | str:
    """The size that a vote wants, or the kind of its opinion."""
    return vote.opinion.size if isinstance(vote.opinion, Wanted) else type(vote.opinion).__name__


@dataclass
class World:
    """A pool that obeys after its boot time, under a load given in instances' worth of CPU.

    Attributes:
        load: CPU load in percent of one instance, by the minutes since the start.
        boot: minutes from a resize to Running.
        lag: minutes until a metric window can be read.
        at: minutes since the start; a tick is half a minute.
    """

    the_plan: Plan
    size: int
    load: Callable[[float], float]
    boot: float = 3
    lag: float = 2
    at: float = 0
    memory: Memory = field(default_factory=Memory)
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    _arrivals: list[float] = field(default_factory=list)
    _windows: list[tuple[datetime, object, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._arrivals = [-1e9] * self.size

    @property
    def running(self) -> int:
        """Instances that have booted."""
        return sum(arrival <= self.at for arrival in self._arrivals)

    def now(self) -> datetime:
        """The instant of the current tick."""
        return NOON + timedelta(minutes=self.at)

    def observe(self) -> Observation:
        """What an agent would see at this tick."""
        trusted = [w for w in self._windows if w[0] <= self.now() - timedelta(minutes=self.lag)]
        readings = {}
        if trusted:
            at, value, samples = trusted[-1]
            readings["cpu"] = Reading(value, at, samples, None, tuple(trusted[-40:-1]))
        busy = self.running != self.size
        state = PoolState(self.size, self.running, "SCALING" if busy else "RUNNING")
        return Observation(self.now(), state, metrics=readings, elapsed=30.0)

    def tick(self) -> Decision:
        """Measure, decide, obey; then half a minute passes."""
        if self.at == int(self.at) and self.running:
            value = min(100.0, self.load(self.at) / self.running)
            self._windows = [*self._windows[-45:], (self.now(), value, self.running)]
        decision = decide(self.the_plan, self.observe(), self.memory)
        self.memory = decision.verdict.memory
        if isinstance(decision, Resize):
            self._resize(decision.to)
        self.decisions.append((self.at, decision))
        self.at += 0.5
        return decision

    def _resize(self, to: int) -> None:
        self._arrivals = self._arrivals[:to]
        self._arrivals += [self.at + self.boot] * (to - len(self._arrivals))
        self.size = to

    def run(self, minutes: float) -> list[int]:
        """Tick for that long; the size after each tick."""
        end = self.at + minutes
        sizes = []
        while self.at < end:
            self.tick()
            sizes.append(self.size)
        return sizes

    def resizes(self) -> list[tuple[float, Resize]]:
        """Every resize with the minute at which it happened."""
        return [(at, d) for at, d in self.decisions if isinstance(d, Resize)]
