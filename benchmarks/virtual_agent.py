"""Ten thousand agents in one process: each with its own connection, clock and backlog."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from benchmarks.http_load import END, LENGTH, address
from benchmarks.workload import CONFIG_HASH, RECORDS, Member, heartbeat, request

RETRY_SECONDS = 5.0


@dataclass(slots=True)
class Seen:
    """What the whole fleet saw since it was last looked at."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    hashes: Counter[str] = field(default_factory=Counter)

    def percentile(self, percent: float) -> float:
        """Nearest rank, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(percent / 100 * len(ordered)))]


class VirtualAgent(asyncio.Protocol):
    """Reports at its own phase of the interval; what is not acknowledged, it sends again."""

    def __init__(self, url: str, member: Member, seen: Seen, chance: random.Random) -> None:
        self.url, self.member, self.seen, self._chance = url, member, seen, chance
        self.beat = 0
        self.acknowledged = True
        self.hash = CONFIG_HASH
        self.transport: asyncio.WriteTransport | None = None
        self.backlog = 0  # intervals whose records are still owed beside the newest
        self._timer: asyncio.TimerHandle | None = None
        self._buffer = b""
        self._due = self._sent_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._waiting = False
        self._loop = asyncio.get_running_loop()

    async def connect(self) -> None:
        """Open the connection, trying again while the server is away or full."""
        host, port = address(self.url)
        while self.transport is None:
            try:
                await self._loop.create_connection(lambda: self, host, port)
            except OSError:
                self.seen.broken += 1
                await asyncio.sleep(self._chance.uniform(0, RETRY_SECONDS))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's derives from nothing

    def connection_lost(self, error: Exception | None) -> None:
        """An answer that is owed will not come."""
        del error
        self.transport = None
        self.seen.broken += self._waiting
        self._waiting = False

    def rest(self) -> None:
        """Stop reporting and hang up."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting = False
        if self.transport is not None:
            self.transport.close()

    def every(self, interval: float, first: float) -> None:
        """Report in `first` seconds and then at each interval."""
        self._due = self._loop.time() + first
        self._timer = self._loop.call_at(self._due, self._turn, interval)

    def _turn(self, interval: float) -> None:
        due = self._due
        if self.transport is None:
            self._task = self._loop.create_task(self._come(due))
        else:
            self.report(due)
        self._due = due + interval
        self._timer = self._loop.call_at(self._due, self._turn, interval)

    async def _come(self, due: float) -> None:
        await self.connect()
        self.report(due)

    def report(self, due: float | None = None) -> None:
        """Send a heartbeat with everything that is owed."""
        if self.transport is None or self._waiting:
            self.seen.broken += 1  # too slow for its interval
            return
        if self.acknowledged:
            self.beat += 1 + self.backlog
        self._sent_at = self._loop.time() if due is None else due
        self.acknowledged, self._waiting = False, True
        body = heartbeat(self.member, self.beat, running=self.hash, intervals=1 + self.backlog)
        self.transport.write(request(self.url, self.member, body))

    def data_received(self, data: bytes) -> None:
        """Take the answer in; a refusal is tried again after a while."""
        self._buffer += data
        head, separator, body = self._buffer.partition(END)
        if not separator:
            return
        at = head.lower().find(LENGTH)
        if len(body) < int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]):
            return
        self._buffer, self._waiting = b"", False
        status = int(head[9:12])
        self.seen.statuses[status] += 1
        if status == 200:
            self.seen.latencies.append(self._loop.time() - self._sent_at)
            self._heard(body)
        elif status == 503:
            wait = json.loads(b"%d" % _retry_after(head))
            self._loop.call_later(wait * self._chance.uniform(1, 1.5), self.report)

    def _heard(self, body: bytes) -> None:
        answer = json.loads(body)
        assert answer["ack"]["sequence"] == self.beat * RECORDS
        self.acknowledged, self.backlog = True, 0
        if answer["yaml_config"] is not None:
            self.hash = answer["config_hash"]
            self.seen.hashes[self.hash] += 1


def _retry_after(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"retry-after:"):
            return int(line.partition(b":")[2])
    return int(RETRY_SECONDS)
