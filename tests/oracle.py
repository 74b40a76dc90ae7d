"""Agents that remember what was acknowledged to them, and the oracle that looks for it afterwards.

Every record carries its own number as its value and every heartbeat its own second as its instant,
so that a row tells which record it is.
"""

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, text

from central.store import nodes
from tests.heartbeats import NOON, beat, metric

FAULTS = (OSError, http.client.HTTPException)  # what a client sees of a server that dies


@dataclass
class Agent:
    """A node that resends what was not acknowledged, as the outbox does."""

    node_id: int
    key: str
    choose: Callable[[], str]
    chance: random.Random
    repeat_at: Callable[[], str] | None = None
    acked: int = 0
    sent: int = 0
    beats: int = 0
    acked_beats: list[int] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    connections: dict[str, http.client.HTTPConnection] = field(default_factory=dict)

    def report(self) -> int:
        """Send one heartbeat with the next records; the status, 0 for no answer."""
        last = self.acked + self.chance.randint(1, 5)
        records = [metric(n, value=float(n)) for n in range(self.acked + 1, last + 1)]
        self.sent, self.beats = max(self.sent, last), self.beats + 1
        body = beat(
            self.beats,
            *records,
            stream_id=f"stream-{self.node_id}",
            sent_at=(NOON + timedelta(seconds=self.beats)).isoformat(),
        )
        encoded = json.dumps(body).encode()
        twin = threading.Thread(target=self._repeat, args=(encoded,))
        twin.start()
        status, answer = self._post(self.choose(), encoded)
        twin.join()
        self.answers[status] += 1
        if status == 200:
            cursor = answer["ack"]["sequence"]
            assert self.acked <= cursor <= self.sent, f"acknowledged {cursor} of {self.sent}"
            self.acked = cursor
            self.acked_beats.append(self.beats)
        return status

    def hang_up(self) -> None:
        """Close the connections."""
        for connection in self.connections.values():
            connection.close()

    def _repeat(self, body: bytes) -> None:
        """The very same heartbeat at the same moment elsewhere, as after a lost reply."""
        if self.repeat_at is not None:
            self._post(self.repeat_at(), body)

    def _post(self, url: str, body: bytes) -> tuple[int, Any]:
        connection = self.connections.get(url)
        if connection is None:
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
            self.connections[url] = connection
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/v1/heartbeat", body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except FAULTS:
            connection.close()
            return 0, None


class Oracle:
    """A fleet under load, and what it was promised."""

    def __init__(
        self,
        engine: Engine,
        choose: Callable[[], str],
        *,
        size: int = 8,
        repeat_at: Callable[[], str] | None = None,
    ) -> None:
        self.engine = engine
        self.agents: list[Agent] = []
        self._loaded: list[Agent] = []
        self._stop = threading.Event()
        self._failures: list[BaseException] = []
        for _ in range(size):
            self.add(choose, repeat_at)

    def add(self, choose: Callable[[], str], repeat_at: Callable[[], str] | None = None) -> Agent:
        """One more node with its agent; it reports when it is told to, or under `load`."""
        number = len(self.agents)
        with self.engine.begin() as connection:
            node_id, key = nodes.create(connection, f"node-{number}", "eu-frankfurt-1", None)
        agent = Agent(node_id, key.text, choose, random.Random(number), repeat_at)
        self.agents.append(agent)
        return agent

    @property
    def acknowledged(self) -> int:
        """Heartbeats answered with 200 so far."""
        return sum(len(agent.acked_beats) for agent in self.agents)

    @contextmanager
    def load(self) -> Iterator[None]:
        """Heartbeats without pause, for as long as the block lasts."""
        self._stop.clear()
        self._loaded = list(self.agents)
        threads = [threading.Thread(target=self._run, args=(agent,)) for agent in self._loaded]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
        assert not self._failures, self._failures

    def _run(self, agent: Agent) -> None:
        try:
            while not self._stop.is_set():
                if agent.report() != 200:
                    self._stop.wait(agent.chance.uniform(0.02, 0.1))
        except AssertionError as error:
            self._failures.append(error)
        finally:
            agent.hang_up()

    def progress(self, more: int, *, within: float = 60.0) -> None:
        """Wait until so many more heartbeats are acknowledged, to every agent at least one."""
        before = {agent.node_id: len(agent.acked_beats) for agent in self._loaded}
        target = self.acknowledged + more
        pause = threading.Event()
        for _ in range(int(within / 0.02)):
            heard = all(len(a.acked_beats) > before[a.node_id] for a in self._loaded)
            if heard and self.acknowledged >= target:
                return
            pause.wait(0.02)
        answers = sum((agent.answers for agent in self.agents), Counter())
        raise AssertionError(f"only {self.acknowledged} of {target} in {within} s: {answers}")

    def check(self, *detached: str) -> None:
        """Every acknowledged record and heartbeat is stored exactly once, and no other twice.

        `detached` names tables that were partitions of metrics.
        """
        tables = " UNION ALL ".join(
            f"SELECT node_id, value FROM {table}" for table in ("metrics", *detached)
        )
        with self.engine.connect() as connection:
            stored = Counter(tuple(row) for row in connection.execute(text(tables)))
            beats = Counter(
                (row.node_id, row.timestamp)
                for row in connection.execute(
                    text("SELECT node_id, timestamp FROM node_heartbeats")
                )
            )
        assert set(stored.values()) <= {1}, "a record is stored twice"
        assert set(beats.values()) <= {1}, "a heartbeat is stored twice"
        for agent in self.agents:
            numbers = sorted(int(value) for node, value in stored if node == agent.node_id)
            assert numbers == list(range(1, len(numbers) + 1)), "a record is missing"
            assert agent.acked <= len(numbers) <= agent.sent
            for number in agent.acked_beats:
                moment = (NOON + timedelta(seconds=number)).replace(tzinfo=None)
                assert beats[agent.node_id, moment] == 1, "an acknowledged heartbeat is missing"
        assert self.acknowledged > 0
