"""The newest facts of the running agent, for metrics and for `poolkeeper agent status`."""

import threading
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.act import Applied, Failed, Outcome, Skipped
from agent.report import PoolReport


@dataclass
class Figures:
    """What was counted since the start.

    Attributes:
        resizes: by pool name and direction, `out` or `in`.
        failures: of writes, by pool name and OCI's code.
        deferred: writes that wait for the next tick, by reason.
        ticks: complete and incomplete ones, by that word.
        tick_seconds: how long all ticks took together; wall time.
        last_tick_seconds: how long the newest one took.
    """

    resizes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    deferred: Counter[str] = field(default_factory=Counter)
    ticks: Counter[str] = field(default_factory=Counter)
    tick_seconds: float = 0.0
    last_tick_seconds: float = 0.0


class Board:
    """Keeps the newest report of each pool. Written by ticks, read by whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, tuple[PoolReport, datetime]] = {}
        self.figures = Figures()

    def saw(self, report: PoolReport, now: datetime) -> None:
        """Note the newest report of a pool."""
        with self._lock:
            self._pools[report.pool.instance_pool_id] = (report, now)

    def acted(self, pool: str, outcome: Outcome) -> None:
        """Count what became of a write."""
        with self._lock:
            match outcome:
                case Applied(before=before, to=to):
                    self.figures.resizes[(pool, "out" if to > before else "in")] += 1
                case Failed(cause=cause):
                    self.figures.failures[(pool, cause.code or str(cause.status))] += 1
                case Skipped(why=why):
                    self.figures.deferred[why] += 1

    def ticked(self, seconds: float, *, complete: bool) -> None:
        """Count a tick."""
        with self._lock:
            self.figures.ticks["complete" if complete else "incomplete"] += 1
            self.figures.tick_seconds += seconds
            self.figures.last_tick_seconds = seconds

    def keep_only(self, pool_ids: Collection[str]) -> None:
        """Forget pools that left the configuration."""
        with self._lock:
            self._pools = {key: seen for key, seen in self._pools.items() if key in pool_ids}

    def pools(self) -> Mapping[str, tuple[PoolReport, datetime]]:
        """Return the newest report of every pool and its instant, by OCID."""
        with self._lock:
            return dict(self._pools)
