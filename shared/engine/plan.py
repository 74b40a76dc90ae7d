"""A pool's configuration prepared for deciding: made once, used every tick."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.config.models import Config, Override, Pool, Schedule
from shared.engine import windows
from shared.engine.model import Bounds
from shared.engine.policies import Voter, voter_for
from shared.engine.samples import Reader


def _fingerprint(pool: Pool) -> str:
    """What the combined needs depend on: change it and old needs prove nothing."""
    parts = [policy.model_dump(mode="json", by_alias=True) for policy in pool.policies]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _reach(pool: Pool) -> timedelta:
    """How far back metric windows matter to this pool's policies."""
    spans = [timedelta(minutes=10), pool.stale_after]
    for policy in pool.policies:
        lead = policy.effective_interval
        if policy.type == "target_tracking":
            spans.append(lead + (policy.demand.window if policy.demand else timedelta(0)))
        else:
            ladders = (policy.scale_out, policy.scale_in)
            spans.extend(lead + ladder.for_ for ladder in ladders if ladder is not None)
    return max(spans) + pool.stale_after


@dataclass(slots=True)
class Timetable:
    """What the schedules and overrides said last, from an instant on and until which it holds.

    It is what they would say again: kept because they are asked at every tick and change seldom.
    """

    said: tuple[datetime, datetime, Bounds] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one pool that does not change from tick to tick.

    Attributes:
        schedules: those that concern the pool, with their zones.
        voters: one for each policy, in file order.
        readers: the same for their readings.
        hole: the longest gap between ticks that still counts as watching without a break.
        reach: how far back metric windows and running counts are needed.
        timetable: where `bounds` keeps what it found for now.
    """

    pool: Pool
    schedules: tuple[tuple[Schedule, str], ...]
    overrides: tuple[Override, ...]
    voters: tuple[tuple[str, bool, Voter], ...]
    readers: tuple[Reader, ...] = field(compare=False)
    fingerprint: str
    hole: timedelta
    reach: timedelta
    timetable: Timetable = field(default_factory=Timetable, compare=False)

    @classmethod
    def of(cls, config: Config, pool_name: str) -> "Plan":
        """Prepare a pool. Raises KeyError when the configuration has no pool of that name."""
        pool = config.pool(pool_name)
        if pool is None:
            raise KeyError(pool_name)
        intervals = [policy.effective_interval for policy in pool.policies]
        return cls(
            pool=pool,
            schedules=tuple((s, config.zone_of(s)) for s in config.schedules_of(pool_name)),
            overrides=tuple(config.overrides_of(pool_name)),
            voters=tuple((p.name, p.is_percent, voter_for(p)) for p in pool.policies),
            readers=tuple(Reader() for _ in pool.policies),
            fingerprint=_fingerprint(pool),
            hole=2 * max([config.poll_interval, *intervals]),
            reach=_reach(pool),
        )

    def override_at(self, now: datetime) -> Override | None:
        """The lease in force, or None."""
        return next((lease for lease in self.overrides if now < lease.until), None)


def next_change(plan: Plan, after: datetime) -> datetime | None:
    """The first instant later than `after` at which a schedule or override of the pool changes."""
    edges = [windows.next_change(schedule, zone, after) for schedule, zone in plan.schedules]
    edges += [lease.until for lease in plan.overrides if lease.until > after]
    return min((edge for edge in edges if edge is not None), default=None)
