"""What travels through ingest: a heartbeat with its rows on the way in, an outcome back."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from central.errors import ApiError
from central.liveness import Status
from shared.wire import Heartbeat, HeartbeatAnswer, Lifecycle, MetricSample, PoolAnalytics, Rejected

StoredRecord = PoolAnalytics | MetricSample | Lifecycle
Outcome = HeartbeatAnswer | ApiError


@dataclass(slots=True)
class Submission:
    """One heartbeat on its way to the database.

    `records` are valid and ascend by sequence, `rejected` were refused before. `presence` is
    False for the later parts of a heartbeat that had to be split to isolate a poison record.
    """

    node_id: int
    beat: Heartbeat
    records: list[StoredRecord]
    rejected: list[Rejected]
    size: int
    ip_address: str | None = None
    presence: bool = True
    attempts: int = 0
    future: "asyncio.Future[Outcome] | None" = None

    @property
    def highest(self) -> int:
        """The sequence up to which this heartbeat's records will be done with."""
        return max(
            [record.sequence for record in self.records] + [r.sequence for r in self.rejected],
            default=0,
        )


RIVAL_BEATS = 3  # of a displaced boot, each new: so many prove that it is alive


@dataclass(frozen=True, slots=True)
class Rival:
    """A boot that another one has displaced, listened for: see `central.ingest.rivals`.

    `beats` counts what was heard of it since; `is_live`: lately enough to count; `since`: when it
    was proven to be a second agent.
    """

    boot_id: str
    sequence: int
    beats: int = 0
    is_live: bool = True
    since: datetime | None = None


@dataclass(slots=True)
class NodeState:
    """A node as the database has it, locked for the length of the transaction."""

    node_id: int
    status: Status
    boot_id: str | None = None
    previous_boot_id: str | None = None
    sequence: int = 0
    offline_seconds: float | None = None
    agent_version: str | None = None
    reported_generation: int = 0
    active_hash: str | None = None
    active_generation: int | None = None
    retry_offers: int = 0
    observe_pools: list[str] = field(default_factory=list)
    is_silent: bool = True
    rotates_key: bool = False
    wants_config: bool = False
    rival: Rival | None = None
    rival_changed: bool = False
    newest: Submission | None = None

    @property
    def has_duplicate(self) -> bool:
        """Whether two agents are alive on this node's key."""
        rival = self.rival
        return rival is not None and rival.is_live and rival.beats >= RIVAL_BEATS


@dataclass(slots=True)
class Reply:
    """What a heartbeat will be told, but for the YAML, which is fetched after the commit."""

    submission: Submission
    cursor: int
    config_hash: str | None
    generation: int | None
    offers_yaml: bool
    rejected: list[Rejected]
    observe_pools: list[str]
    server_time: datetime
    duplicate: bool = False
    wants_config: bool = False
    next_api_key: str | None = field(default=None, repr=False)
