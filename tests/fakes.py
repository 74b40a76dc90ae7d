"""Stand-ins for what is outside: real classes behind the agent's protocols, never mocks.

Each passes the same contract test as the real thing (tests/agent/test_contracts.py).
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.central_client import CentralError
from agent.errors import CallError, Cause
from agent.pools import Instance, PoolRef, PoolSummary, Versioned, WorkError
from agent.sources.model import PoolReadings, Wish
from shared.config.hashing import config_hash
from shared.wire import Acknowledged, Heartbeat, HeartbeatAnswer, Rejected

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def refusal(status: int, code: str, message: str = "refused", **more: Any) -> CallError:
    """An error as OCI answers it."""
    certainty = "unknown" if status >= 500 else "refused"
    fields: dict[str, Any] = {"certainty": certainty, "retry": status == 429 or status >= 500}
    return CallError(Cause("UpdateInstancePool", message, status, code, "req-1", **(fields | more)))


def timeout() -> CallError:
    """A call whose outcome nobody knows."""
    cause = Cause(
        "UpdateInstancePool", "no answer within 10 s", code="Timeout", certainty="unknown"
    )
    return CallError(cause)


@dataclass
class FakePool:
    """A pool that does at once what it is asked, unless told otherwise."""

    size: int
    state: str = "RUNNING"
    active: int | None = None
    version: int = 1
    created_at: datetime | None = NOON - timedelta(days=1)
    work_errors: list[WorkError] = field(default_factory=list)
    native: str = ""
    gone: set[str] = field(default_factory=set)

    def summary(self, pool_id: str) -> PoolSummary:
        active = self.size if self.active is None else self.active
        return PoolSummary(pool_id, self.size, active, self.state)


class FakePools:
    """`agent.pools.Pools` in memory. `fail` maps a method's name to what it raises, once each."""

    def __init__(self, **pools: FakePool) -> None:
        self.pools = {pool_id(name): pool for name, pool in pools.items()}
        self.fail: dict[str, list[BaseException]] = {}
        self.calls: list[str] = []
        self.tokens: list[str] = []
        self.lose_replies = 0
        self.after_resize: Callable[[], None] = lambda: None

    def in_compartment(self, region: str, compartment_id: str) -> Mapping[str, PoolSummary]:
        self._enter("in_compartment")
        return {key: pool.summary(key) for key, pool in self.pools.items()}

    def get(self, ref: PoolRef) -> Versioned:
        self._enter("get")
        pool = self._pool(ref)
        return Versioned(pool.summary(ref.id), f"v{pool.version}")

    def resize(self, ref: PoolRef, to: int, *, etag: str, token: str) -> None:
        self._enter("resize")
        pool = self._pool(ref)
        self.tokens.append(token)
        if etag != f"v{pool.version}":
            raise refusal(412, "NoEtagMatch")
        if pool.state != "RUNNING":
            raise refusal(409, "IncorrectState")
        pool.size = to
        pool.version += 1
        self.after_resize()
        if self.lose_replies:
            self.lose_replies -= 1
            raise timeout()

    def detach(self, ref: PoolRef, instance_id: str, *, token: str) -> None:
        self._enter("detach")
        pool = self._pool(ref)
        self.tokens.append(token)
        if pool.state != "RUNNING":
            raise refusal(409, "IncorrectState")
        if instance_id not in {member.id for member in self.members(ref)}:
            raise refusal(404, "NotAuthorizedOrNotFound")
        pool.gone.add(instance_id)
        pool.size -= 1
        pool.version += 1
        if self.lose_replies:
            self.lose_replies -= 1
            raise timeout()

    def native_autoscaling(self, region: str, compartment_id: str) -> Mapping[str, str]:
        self._enter("native_autoscaling")
        return {key: pool.native for key, pool in self.pools.items() if pool.native}

    def members(self, ref: PoolRef) -> tuple[Instance, ...]:
        self._enter("members")
        pool = self._pool(ref)
        count = pool.summary(ref.id).active + len(pool.gone)
        found = (Instance(f"{ref.id}-{n}", "Running", pool.created_at) for n in range(count))
        return tuple(member for member in found if member.id not in pool.gone)

    def work_errors(self, ref: PoolRef, since: datetime) -> tuple[WorkError, ...]:
        self._enter("work_errors")
        return tuple(error for error in self._pool(ref).work_errors if error.at >= since)

    def _enter(self, method: str) -> None:
        self.calls.append(method)
        if self.fail.get(method):
            raise self.fail[method].pop(0)

    def _pool(self, ref: PoolRef) -> FakePool:
        if ref.id not in self.pools:
            raise refusal(404, "NotAuthorizedOrNotFound")
        return self.pools[ref.id]


class FakeSource:
    """`agent.sources.model.MetricSource` that answers what it was told."""

    def __init__(self, answer: Callable[[Wish, datetime], PoolReadings] | None = None) -> None:
        self.answer = answer or (lambda wish, now: PoolReadings())
        self.reads = 0

    def read(self, wishes: Sequence[Wish], now: datetime) -> Mapping[str, PoolReadings]:
        self.reads += 1
        return {wish.pool.name: self.answer(wish, now) for wish in wishes}


class FakeCentral:
    """`agent.heartbeat.Central` in memory: stores each record once, hands out configuration.

    Attributes:
        is_down: heartbeats fail before anything is stored.
        lose_replies: so many heartbeats are stored, and their answers lost.
        refuse: sequences of records that are refused for good.
        most_records: a heartbeat with more is refused as a whole, with `status`.
    """

    def __init__(self) -> None:
        self.stored: dict[tuple[str, int], dict[str, Any]] = {}
        self.beats: list[Heartbeat] = []
        self.yaml: str | None = None
        self.generation = 0
        self.rollback = False
        self.is_down = False
        self.lose_replies = 0
        self.refuse: set[int] = set()
        self.most_records: int | None = None
        self.status = 413
        self.observe_pools: list[str] = []
        self.duplicate = False
        self.sent_yaml = 0
        self.wants_config = False
        self._cursors: dict[str, int] = {}

    def give(self, yaml: str, *, rollback: bool = False, generation: int | None = None) -> None:
        """Make a configuration the active one."""
        self.yaml, self.rollback = yaml, rollback
        self.generation = self.generation + 1 if generation is None else generation

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        if self.is_down:
            raise CentralError("central does not answer: refused")
        if self.most_records is not None and len(beat.records) > self.most_records:
            raise CentralError(f"central answers {self.status}", status=self.status)
        self.beats.append(beat)
        rejected = [answer for record in beat.records if (answer := self._store(beat, record))]
        if self.lose_replies:
            self.lose_replies -= 1
            raise CentralError("central does not answer: the connection broke")
        wanted = None if self.yaml is None else config_hash(self.yaml)
        known = {beat.config.running_hash, beat.config.failed_hash}
        send = self.yaml if wanted not in known else None
        self.sent_yaml += send is not None
        return HeartbeatAnswer(
            config_hash=wanted,
            generation=self.generation,
            yaml_config=send,
            rollback=self.rollback,
            next_heartbeat_seconds=30,
            ack=Acknowledged(
                stream_id=beat.stream_id, sequence=self._cursors.get(beat.stream_id, 0)
            ),
            rejected=rejected,
            observe_pools=self.observe_pools,
            duplicate=self.duplicate,
            wants_config=self.wants_config,
            server_time=NOON,
        )

    def records(self, kind: str) -> list[dict[str, Any]]:
        """What is stored of a kind, in order."""
        return [record for _, record in sorted(self.stored.items()) if record["kind"] == kind]

    def _store(self, beat: Heartbeat, record: dict[str, Any]) -> Rejected | None:
        sequence = int(record["sequence"])
        cursor = self._cursors.get(beat.stream_id, 0)
        if sequence <= cursor:
            return None
        self._cursors[beat.stream_id] = sequence
        if sequence in self.refuse:
            return Rejected(sequence=sequence, code="unknown_pool", reason="not a pool of yours")
        self.stored[(beat.stream_id, sequence)] = record
        return None


def pool_id(name: str) -> str:
    """The OCID of a fake pool."""
    return f"ocid1.instancepool.oc1.eu-frankfurt-1.{name}"


def counter(prefix: str = "id") -> Callable[[], str]:
    """Identifiers that tell in which order they were made."""
    numbers = itertools.count(1)
    return lambda: f"{prefix}-{next(numbers):08d}"
