"""Observing: what OCI, Monitoring, the disk and the owner say, gathered into one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from agent.errors import CallError, Cause
from agent.failures import capacity_failed, capacity_proven
from agent.pools import Instance, PoolRef, Pools, PoolSummary, WorkError
from agent.sources.model import MetricSource, PoolReadings, Wish
from agent.state import PoolNotes
from shared.config.models import Pool
from shared.engine.model import Guard, LastWrite, Member, Observation, PoolState

Problem = Literal["missing", "forbidden", "unknown"]
_OLD = timedelta(minutes=10)
_SUSPICIOUS_AFTER = timedelta(minutes=1)
_LOOK_AGAIN_AFTER = timedelta(minutes=2)
_LOOK_BACK = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Site:
    """A region and a compartment: pools of one site are read together."""

    region: str
    compartment_id: str


@dataclass(frozen=True, slots=True)
class SiteView:
    """What was read of a site. With a `cause` its pools could not be listed."""

    pools: Mapping[str, PoolSummary]
    readings: Mapping[str, PoolReadings]
    cause: Cause | None = None

    def problem(self, pool_id: str) -> Problem | None:
        """Return why a pool cannot be seen, or None when it can.

        OCI answers 404 for what is missing and what is forbidden alike. A compartment that can be
        listed tells them apart: the pool is not there. (Fault: pool deleted or permission lost.)
        """
        if self.cause is not None:
            forbidden = self.cause.status in (401, 403, 404) or self.cause.code == "AuthUnavailable"
            return "forbidden" if forbidden else "unknown"
        return None if pool_id in self.pools else "missing"


def site_of(pool: Pool) -> Site:
    """Return the site of a pool."""
    return Site(pool.region, pool.compartment_id)


def ref_of(pool: Pool) -> PoolRef:
    """Return where a pool is."""
    return PoolRef(pool.instance_pool_id, pool.compartment_id, pool.region)


def look(
    pools: Pools, source: MetricSource, site: Site, wanted: Sequence[Pool], now: datetime
) -> SiteView:
    """Read a site: one list of pools, and the metrics of all of them together."""
    found: Mapping[str, PoolSummary] = {}
    cause = None
    try:
        found = pools.in_compartment(site.region, site.compartment_id)
    except CallError as error:
        cause = error.cause
        if cause.status is None:
            return SiteView({}, {}, cause)  # unreachable: asking for metrics would only take time
    wishes = [
        Wish(pool, max(found[pool.instance_pool_id].active, found[pool.instance_pool_id].size))
        if pool.instance_pool_id in found
        else Wish(pool, 0)
        for pool in wanted
    ]
    return SiteView(found, source.read(wishes, now), cause)


def needs_members(summary: PoolSummary, notes: PoolNotes) -> bool:
    """Say whether the members must be listed: something changed, or the list was not complete."""
    if notes.members is None or notes.listed_at != (summary.size, summary.active, summary.state):
        return True
    running = sum(member.is_running for member in notes.members)
    return summary.state.upper() == "RUNNING" and running != summary.active


def with_members(
    notes: PoolNotes, found: Sequence[Instance], summary: PoolSummary, now: datetime
) -> PoolNotes:
    """Note the members, keeping when each was first seen Running.

    When nothing was known of the pool before, an instance that exists for long has run for long:
    a fresh agent does not take a whole old pool for newcomers.
    """
    before = {member.id: member.running_since for member in notes.members or ()}
    fresh = notes.members is None
    members = []
    for instance in found:
        since = None
        if instance.state.upper() == "RUNNING":
            since = before.get(instance.id) or now
            created = instance.created_at
            if fresh and created is not None and now - created > _OLD:
                since = created
        members.append(Member(instance.id, instance.state, since))
    listed_at = (summary.size, summary.active, summary.state)
    return replace(notes, members=tuple(members), listed_at=listed_at)


def suspects_failure(summary: PoolSummary, notes: PoolNotes, now: datetime) -> bool:
    """Say whether to look for failed work requests: fewer run than were asked for, for a while.

    Capacity errors normally arrive so: the update is answered 200, its work request fails.
    """
    checked = notes.work_checked_at
    if summary.active >= summary.size or (checked and now - checked < _LOOK_AGAIN_AFTER):
        return False
    changed = notes.memory.changed_at or notes.memory.busy_since
    return changed is None or now - changed >= _SUSPICIOUS_AFTER


def failures_since(notes: PoolNotes, last_write: LastWrite | None, now: datetime) -> datetime:
    """Return from when on failed work requests are news."""
    if notes.work_failed_at is not None:
        return notes.work_failed_at + timedelta(milliseconds=1)
    return last_write.at if last_write else now - _LOOK_BACK


def with_work_errors(
    notes: PoolNotes, errors: Sequence[WorkError], summary: PoolSummary, now: datetime
) -> PoolNotes:
    """Note that work requests were looked at, and let growth wait when one failed."""
    notes = replace(notes, work_checked_at=now)
    if not errors:
        return notes
    newest = errors[-1]
    backoff = capacity_failed(notes.backoff, newest.code, now, needed=summary.size)
    text = f"{newest.code}: {newest.message}"
    return replace(notes, backoff=backoff, work_failed_at=newest.at, work_error=text)


def with_proof(notes: PoolNotes, summary: PoolSummary) -> PoolNotes:
    """Forget capacity failures when as many instances run as were missing then."""
    needed = notes.backoff.needed
    if not needed or summary.state.upper() != "RUNNING" or summary.active < needed:
        return notes
    return replace(notes, backoff=capacity_proven(notes.backoff))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an observation needs beside the pool itself."""

    now: datetime
    guard: Guard | None
    last_write: LastWrite | None
    elapsed: float | None


def observation(pool: Pool, view: SiteView, notes: PoolNotes, around: Circumstances) -> Observation:
    """Return what the decision about a pool looks at."""
    summary = view.pools.get(pool.instance_pool_id)
    readings = view.readings.get(pool.name) or PoolReadings()
    state = None
    if summary is not None:
        current = notes.listed_at == (summary.size, summary.active, summary.state)
        members = notes.members if current else None
        state = PoolState(summary.size, summary.active, summary.state, members)
    return Observation(
        now=around.now,
        pool=state,
        problem=view.problem(pool.instance_pool_id),
        metrics=readings.policies,
        blocked=notes.backoff.blocked(around.now),
        guard=around.guard,
        last_write=around.last_write,
        elapsed=around.elapsed,
    )
