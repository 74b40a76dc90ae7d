"""Work requests: how OCI reports what became of an asynchronous change.

SDK 2.189 work_requests/models/work_request.py; Oracle, "Work Requests"
(General/Concepts/workrequestoverview.htm): kept for 12 hours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT = timedelta(hours=12)
_ACCEPTED_FOR = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a work request failed."""

    code: str
    message: str


OUT_OF_CAPACITY = Failure("OutOfCapacity", "Out of host capacity.")


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """One asynchronous change to a pool.

    Attributes:
        operation: LaunchInstancesInPool or TerminateInstancesInPool.
        failure: None when it succeeds at `finishes_at`.
    """

    id: str
    operation: str
    compartment_id: str
    pool_id: str
    accepted_at: datetime
    finishes_at: datetime
    failure: Failure | None = None

    def started_at(self, now: datetime) -> datetime | None:
        """When work began, or None while it is only accepted."""
        started = min(self.accepted_at + _ACCEPTED_FOR, self.finishes_at)
        return started if now >= started else None

    def finished(self, now: datetime) -> bool:
        """Whether the outcome is known."""
        return now >= self.finishes_at

    def listed(self, now: datetime) -> bool:
        """Whether it is still kept."""
        return self.accepted_at <= now < self.finishes_at + KEPT

    def status(self, now: datetime) -> str:
        """ACCEPTED, IN_PROGRESS, SUCCEEDED or FAILED."""
        if self.finished(now):
            return "FAILED" if self.failure else "SUCCEEDED"
        return "IN_PROGRESS" if self.started_at(now) else "ACCEPTED"

    def percent(self, now: datetime) -> float:
        """How far it is, 0 to 100; a failed one stays where it failed."""
        if self.finished(now):
            return 50.0 if self.failure else 100.0
        length = (self.finishes_at - self.accepted_at).total_seconds()
        return round(100 * (now - self.accepted_at).total_seconds() / length, 1)
