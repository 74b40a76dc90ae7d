"""Instance pools as the agent sees them. `agent.oci_pools` is the real thing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PoolRef:
    """Where a pool is."""

    id: str
    compartment_id: str
    region: str


@dataclass(frozen=True, slots=True)
class PoolSummary:
    """A pool as lists show it: wanted size, running count, lifecycle state."""

    id: str
    size: int
    active: int
    state: str


@dataclass(frozen=True, slots=True)
class Versioned:
    """A pool as Get shows it, with the etag that guards a write."""

    pool: PoolSummary
    etag: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A member of a pool. `state` is free text such as "Running"."""

    id: str
    state: str
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkError:
    """Why a work request of a pool failed."""

    code: str
    message: str
    at: datetime


class Pools(Protocol):
    """Reads and resizes pools. Every method raises CallError when OCI does not do as asked."""

    def in_compartment(self, region: str, compartment_id: str) -> Mapping[str, PoolSummary]:
        """Return every pool of a compartment, by OCID; terminated ones are left out."""
        ...

    def get(self, ref: PoolRef) -> Versioned:
        """Return one pool with its etag."""
        ...

    def resize(self, ref: PoolRef, to: int, *, etag: str, token: str) -> None:
        """Ask for `to` instances, if the pool is still the one that `etag` stands for.

        `token` makes a repeated request harmless. Returning means accepted, not done.
        """
        ...

    def detach(self, ref: PoolRef, instance_id: str, *, token: str) -> None:
        """Take one member out, terminate it, and let the pool be smaller by one.

        OCI checks no etag here. Returning means accepted, not done.
        """
        ...

    def native_autoscaling(self, region: str, compartment_id: str) -> Mapping[str, str]:
        """Return the names of OCI's own enabled autoscaling configurations, by pool OCID."""
        ...

    def members(self, ref: PoolRef) -> tuple[Instance, ...]:
        """Return the members; terminated ones are left out."""
        ...

    def work_errors(self, ref: PoolRef, since: datetime) -> tuple[WorkError, ...]:
        """Return the errors of work requests that failed at or after `since`, oldest first."""
        ...
