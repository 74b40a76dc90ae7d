"""200 agents that share one tenancy's limit of 10 metric requests a second, in virtual time.

Each agent has one compartment and reads CPU and memory once a minute, through the real token
bucket and the real rule for retries. With a central each has its share of 8 requests a second
and a phase of its own, by `central.budgets`; without one they all tick at the same instants and
only back-off helps. They start within five minutes of each other.

    python benchmarks/read_schedulers.py
"""

import heapq
import json
import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.errors import Cause
from agent.patience import BUDGET_SECONDS, TRIES
from agent.phase import Phase
from agent.retrying import wait_before_retry
from agent.throttle import TokenBucket
from central.budgets import shares

AGENTS, QUERIES, LIMIT = 200, 2, 10
POLL, WINDOW, HOUR = 30.0, 60.0, 3600.0
STALE_AFTER = 360.0
UNTOLD_RATE = 2.0  # an agent's own, while no central tells it another
RESULTS = Path(__file__).parent / "results" / "read_schedulers.json"
THROTTLED = Cause("SummarizeMetricsData", "throttled", status=429, code="TooManyRequests")


@dataclass(order=True)
class Try:
    """An attempt of a query at an instant."""

    at: float
    order: int
    agent: int = field(compare=False)
    query: int = field(compare=False)
    attempt: int = field(compare=False)
    deadline: float = field(compare=False)
    has_token: bool = field(compare=False, default=False)


class Tenancy:
    """OCI Monitoring with its limit."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self.answered: Counter[int] = Counter()

    def ask(self, at: float) -> bool:
        """Answer a request, or refuse it with 429."""
        while self._recent and at - self._recent[0] >= 1.0:
            self._recent.popleft()
        self.answered[200 if len(self._recent) < LIMIT else 429] += 1
        if len(self._recent) >= LIMIT:
            return False
        self._recent.append(at)
        return True


@dataclass
class Node:
    """One agent's reads."""

    bucket: TokenBucket
    phase: Phase
    owed: float = 0.0
    started: float = -1.0
    read: dict[int, float] = field(default_factory=dict)
    served_at: dict[int, float] = field(default_factory=dict)


class Fleet:
    """All agents at work on one tenancy."""

    def __init__(self, *, with_central: bool, seed: int = 1) -> None:
        self.chance = random.Random(seed)
        self.tenancy = Tenancy()
        self.now = 0.0
        self._order = 0
        self._queue: list[Try] = []
        self.longest = 0.0
        handed = shares((index, "ocid1.tenancy.oc1..one") for index in range(AGENTS))
        self.nodes = []
        for index in range(AGENTS):
            rate = handed[index].requests_per_second if with_central else UNTOLD_RATE
            bucket = TokenBucket(rate, 10, lambda: self.now, self._sleeper(index))
            node = Node(bucket, Phase(self.chance))
            if with_central:
                node.phase.assign(handed[index])
            self.nodes.append(node)

    def _sleeper(self, index: int) -> Any:
        def sleep(seconds: float) -> None:
            self.nodes[index].owed = seconds

        return sleep

    def run(self) -> None:
        """Let an hour pass."""
        ticks = [
            (POLL * (index % 10) + node.phase.of_ticks().total_seconds(), index)
            for index, node in enumerate(self.nodes)
        ]
        heapq.heapify(ticks)
        while ticks or self._queue:
            if not self._queue or (ticks and ticks[0][0] <= self._queue[0].at):
                self.now, index = heapq.heappop(ticks)
                self._tick(index)
                phase = self.nodes[index].phase.of_ticks().total_seconds()
                planned = (self.now // POLL + 1) * POLL + phase
                if planned < HOUR:
                    heapq.heappush(ticks, (planned, index))
            else:
                one = heapq.heappop(self._queue)
                self.now = one.at
                self._try(one)

    def _tick(self, index: int) -> None:
        node = self.nodes[index]
        if node.started < 0:
            node.started = self.now
        closed = self._closed(node)
        for query in range(QUERIES):
            if node.read.get(query) != closed:
                self._push(index, query, 1, self.now, self.now + BUDGET_SECONDS)

    def _closed(self, node: Node) -> float:
        return (self.now - node.phase.of_reads().total_seconds()) // WINDOW * WINDOW

    def _push(self, index: int, query: int, attempt: int, at: float, deadline: float) -> None:
        self._order += 1
        heapq.heappush(self._queue, Try(at, self._order, index, query, attempt, deadline))

    def _try(self, one: Try) -> None:
        """Wait for a token, then ask: two events, for others may ask in between."""
        node = self.nodes[one.agent]
        if not one.has_token:
            node.owed = 0.0
            node.bucket.take()
            if node.owed > 0:
                self._order += 1
                later = replace(one, at=self.now + node.owed, order=self._order, has_token=True)
                heapq.heappush(self._queue, later)
                return
        if self.tenancy.ask(self.now):
            node.read[one.query] = self._closed(node)
            gap = self.now - node.served_at.get(one.query, node.started)
            self.longest = max(self.longest, gap)
            node.served_at[one.query] = self.now
            return
        node.phase.throttled()
        left = one.deadline - self.now
        wait = wait_before_retry(THROTTLED, one.attempt, left, self.chance)
        if one.attempt < TRIES and wait < left:
            self._push(one.agent, one.query, one.attempt + 1, self.now + wait, one.deadline)


def measure(*, with_central: bool) -> dict[str, Any]:
    """Run an hour and return its figures."""
    fleet = Fleet(with_central=with_central)
    fleet.run()
    answered = fleet.tenancy.answered
    return {
        "agents": AGENTS,
        "requests_per_second": round(sum(answered.values()) / HOUR, 2),
        "refused_429": answered[429],
        "longest_without_data_seconds": round(fleet.longest, 1),
        "agents_ever_without_data_longer_than_stale_after": sum(
            max(HOUR - at for at in node.served_at.values()) > STALE_AFTER
            or len(node.served_at) < QUERIES
            for node in fleet.nodes
        ),
    }


def main() -> None:
    results = {
        "with central's budget": measure(with_central=True),
        "without central": measure(with_central=False),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
