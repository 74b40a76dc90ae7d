"""Heartbeats: presence now, history in batches, configuration in the answer. On its own thread.

A failed heartbeat never stops a tick, nor the reverse. Presence is never queued: every attempt is
built anew. History waits in the outbox until central acknowledges it.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.central_client import CentralError
from agent.clock import Wall
from agent.config_apply import ConfigApplier
from agent.node_metrics import NodeMetrics
from agent.outbox import Outbox
from shared.wire import (
    MAX_BATCH_BYTES,
    MAX_BATCH_RECORDS,
    Heartbeat,
    HeartbeatAnswer,
    MetricsBudget,
)

log = logging.getLogger(__name__)
_ROOM_FOR_THE_REST = 64 * 1024
_BODY_REFUSED = (400, 413, 422)
"""Central, or a proxy before it, does not take the body: history must not cost presence."""


class Central(Protocol):
    """Where heartbeats go."""

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Send one; raises CentralError."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """What the loop says about itself. `error` is the newest trouble that lasts, or None."""

    last_tick_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True)
class Identity:
    """What does not change while the process lives."""

    version: str
    boot_id: str
    capabilities: tuple[str, ...]
    tzdata_version: str | None
    tenancy: Callable[[], str | None] = lambda: None


class Heartbeats:
    """Builds heartbeats and takes in the answers."""

    def __init__(
        self,
        central: Central,
        identity: Identity,
        outbox: Outbox,
        configs: ConfigApplier,
        *,
        health: Callable[[], Health],
        measure: Callable[[], NodeMetrics],
        wall: Wall,
        on_budget: Callable[[MetricsBudget | None], None],
    ) -> None:
        self._central = central
        self._identity = identity
        self._outbox = outbox
        self._configs = configs
        self._health = health
        self._measure = measure
        self._wall = wall
        self._on_budget = on_budget
        self._sequence = 0
        self._records_allowed = MAX_BATCH_RECORDS
        self._lock = threading.Lock()
        self._last: HeartbeatAnswer | None = None
        self._too_large: str | None = None
        self.observe_pools: frozenset[str] = frozenset()
        self.on_observe: Callable[[frozenset[str]], object] = lambda pool_ids: None  # noqa: ARG005 # the agent connects it
        self.rejected = 0

    @property
    def last_answer(self) -> HeartbeatAnswer | None:
        """The newest answer of this process."""
        return self._last

    @property
    def is_awaited(self) -> bool:
        """Whether central waits for news: of a configuration being applied, or for its text."""
        asked = self._last is not None and self._last.wants_config
        return asked or self._configs.report.status == "applying"

    def has_more(self) -> bool:
        """Return whether at least half a batch of records still waits."""
        return self._outbox.pending() > MAX_BATCH_RECORDS // 2

    def beat(self, *, goodbye: bool = False) -> HeartbeatAnswer:
        """Send one heartbeat with the oldest records, and take in the answer.

        Raises:
            CentralError: it was not accepted; nothing is lost and nothing changed.
        """
        with self._lock:
            try:
                answer = self._central.post(self._build(goodbye=goodbye))
            except CentralError as error:
                if error.status in _BODY_REFUSED:
                    self._records_allowed //= 8
                raise
            self._take(answer)
            self._records_allowed = min(MAX_BATCH_RECORDS, 2 * self._records_allowed + 1)
            return answer

    def _build(self, *, goodbye: bool) -> Heartbeat:
        self._sequence += 1
        health = self._health()
        batch = self._outbox.batch(self._records_allowed, MAX_BATCH_BYTES - _ROOM_FOR_THE_REST)
        paused = self._last is not None and self._last.drain == "pause"
        asked = self._asked_for()
        return Heartbeat(
            agent_version=self._identity.version,
            capabilities=list(self._identity.capabilities),
            stream_id=batch.stream_id,
            boot_id=self._identity.boot_id,
            sequence=self._sequence,
            sent_at=self._wall(),
            status="error" if health.error else "ok",
            error_message=health.error[:1024] if health.error else None,
            last_tick_at=health.last_tick_at,
            goodbye=goodbye,
            tzdata_version=self._identity.tzdata_version,
            tenancy=self._identity.tenancy(),
            config=self._configs.report,
            running_config=asked,
            node_metrics=self._measure().as_wire(),
            records=[] if paused or asked is not None else list(batch.records),
        )

    def _asked_for(self) -> str | None:
        """The running configuration's text, when central asked for it and it fits a heartbeat."""
        running = self._configs.running
        if self._last is None or not self._last.wants_config or running is None:
            return None
        if len(json.dumps(running.text)) <= MAX_BATCH_BYTES - _ROOM_FOR_THE_REST:
            return running.text
        if self._too_large != running.hash:
            self._too_large = running.hash
            log.warning("central asks for the configuration, which is too large to be sent")
        return None

    def _take(self, answer: HeartbeatAnswer) -> None:
        self._outbox.acknowledge(answer.ack.stream_id, answer.ack.sequence)
        for refused in answer.rejected:
            self.rejected += 1
            log.warning("central refused record %d: %s", refused.sequence, refused.reason)
        self._note_duplicate(answer)
        observed = frozenset(answer.observe_pools)
        if observed != self.observe_pools:
            self.observe_pools = observed  # before a configuration that the next tick may use
            self.on_observe(observed)
        self._configs.offer(answer)
        self._on_budget(answer.metrics_budget)
        self._last = answer

    def _note_duplicate(self, answer: HeartbeatAnswer) -> None:
        """Two agents live on this key. A cloned machine shares even the outbox's name."""
        known = self._last is not None and self._last.duplicate
        if not answer.duplicate or known:
            return
        if answer.observe_pools:
            self._outbox.begin_stream()
        part = "only observes" if answer.observe_pools else "goes on, the other only observes"
        log.warning("another live agent uses this node's key; this one %s", part)
