"""The instances of a pool: their life, where they are placed, and which one has to go."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

Domain = tuple[str, str]
"""Availability domain and fault domain."""


@dataclass
class Member:
    """One instance of a pool.

    Attributes:
        created_at: when the pool asked for it.
        up_from: when it is (or will be) Running; None while it is only configured.
        up_until: when it was powered off; None while it is up.
        terminating_at: when it left service for good; the pool no longer counts it.
        terminated_at: when its termination is done.
        released_at: when it left service but waited for its pool's hook until then.
        is_detached: it lives on outside the pool.
        earlier: the spans in which it was Running before the last power cycle.
    """

    id: str
    display_name: str
    domain: Domain
    created_at: datetime
    up_from: datetime | None = None
    up_until: datetime | None = None
    terminating_at: datetime | None = None
    terminated_at: datetime | None = None
    released_at: datetime | None = None
    is_detached: bool = False
    earlier: list[tuple[datetime, datetime]] = field(default_factory=list)

    def state(self, at: datetime) -> str:
        """Return the instance state as ListInstancePoolInstances spells it, e.g. "Running".

        SDK 2.189 core/models/instance_summary.py: a free string.
        """
        if self.terminated_at is not None and at >= self.terminated_at:
            return "Terminated"
        if self.terminating_at is not None and at >= self.terminating_at:
            return "Terminating"
        if self.up_from is None or (self.up_until is not None and at >= self.up_until):
            return "Stopped"
        return "Running" if at >= self.up_from else "Provisioning"

    def served(self, at: datetime) -> bool:
        """Whether it was Running at an instant, also one before a power cycle."""
        spans = [(start, end) for start, end in self.earlier if start <= at < end]
        return bool(spans) or self.state(at) == "Running"

    def power_off(self, at: datetime) -> None:
        """Stop; Oracle, "Stopping and Starting the Instances in an Instance Pool"."""
        if self.up_from is not None and self.up_until is None:
            self.up_until = at

    def power_on(self, running_at: datetime) -> None:
        """Start again; it is Running at `running_at`."""
        if self.up_from is not None and self.up_until is not None and self.up_from < self.up_until:
            self.earlier.append((self.up_from, self.up_until))
        self.up_from, self.up_until = running_at, None

    def terminate(self, at: datetime, done_at: datetime, released_at: datetime) -> None:
        """Leave service now, wait until `released_at`, and be gone at `done_at`."""
        self.terminating_at, self.terminated_at = at, done_at
        self.released_at = released_at

    def awaits_termination(self, at: datetime) -> bool:
        """Whether it waits for the pool's pre-termination hook."""
        leaving, released = self.terminating_at, self.released_at
        return leaving is not None and released is not None and leaving <= at < released

    def attachment(self, at: datetime) -> str:
        """Return the lifecycle state of GetInstancePoolInstance.

        SDK 2.189 core/models/instance_pool_instance.py.
        """
        if self.awaits_termination(at):
            return "TERMINATION_AWAIT"
        if self.terminating_at is not None:
            return "DETACHING"
        return "ATTACHING" if self.state(at) == "Provisioning" else "ACTIVE"


def place(domains: Sequence[Domain], members: Sequence[Member]) -> Domain:
    """Choose where the next instance goes: the emptiest AD, then its emptiest fault domain.

    Oracle, "Using Instance Configurations and Instance Pools": best effort over the domains.
    """
    ads = Counter(member.domain[0] for member in members)
    fds = Counter(member.domain for member in members)
    return min(domains, key=lambda domain: (ads[domain[0]], fds[domain], domains.index(domain)))


def choose_victims(members: Sequence[Member], count: int) -> list[Member]:
    """Choose who is removed: balance the ADs, then the fault domains, then the oldest.

    Oracle, "Updating the Size of an Instance Pool".
    """
    left = sorted(members, key=lambda member: (member.created_at, member.display_name))
    victims: list[Member] = []
    for _ in range(min(count, len(left))):
        ads = Counter(member.domain[0] for member in left)
        fds = Counter(member.domain for member in left)
        crowded = max(left, key=lambda member: (ads[member.domain[0]], fds[member.domain]))
        left.remove(crowded)
        victims.append(crowded)
    return victims
