"""A cheap HTTP client for load: raw sockets, prepared bytes, kept connections.

It shares its two cores with what it measures, so it does nothing that it need not do.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

END = b"\r\n\r\n"
LENGTH = b"content-length: "
SHORTEST_NAP = 0.002  # seconds: what falls due meanwhile is sent together, late by that much


@dataclass(slots=True)
class Tally:
    """What a load run saw: answers by status, seconds from due to answered, how long it took."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    with_yaml: int = 0
    broken: int = 0
    seconds: float = 0.0

    @property
    def acknowledged(self) -> int:
        """Heartbeats answered with 200."""
        return self.statuses[200]

    @property
    def rate(self) -> float:
        """Acknowledged heartbeats per second."""
        return self.acknowledged / self.seconds if self.seconds else 0.0

    def percentile(self, percent: float) -> float:
        """A percentile of the latencies by nearest rank, in milliseconds."""
        ordered = sorted(self.latencies)
        if not ordered:
            return float("nan")
        rank = min(len(ordered) - 1, max(0, round(percent / 100 * len(ordered) + 0.5) - 1))
        return 1000 * ordered[rank]

    def summary(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "acknowledged": self.acknowledged,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.rate, 1),
            "p50_ms": round(self.percentile(50), 2),
            "p99_ms": round(self.percentile(99), 2),
            "max_ms": round(1000 * max(self.latencies, default=float("nan")), 2),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "answers_with_yaml": self.with_yaml,
            "broken_connections": self.broken,
        }


class Connection(asyncio.Protocol):
    """One kept connection: sends a request, hands over the answer, asks for the next."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._due = 0.0
        self._busy = False
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to send."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        self._load.free(self)

    def send(self, data: bytes, due: float) -> None:
        """Send a request that was due at a moment of the loop's clock."""
        assert self.transport is not None
        self._due, self._busy = due, True
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Collect an answer."""
        buffer = self._buffer + data if self._buffer else data
        head, separator, body = buffer.partition(END)
        if not separator:
            self._buffer = buffer
            return
        at = head.lower().find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])
        if len(body) < length:
            self._buffer = buffer
            return
        self._buffer, self._busy = b"", False
        self._load.answered(int(head[9:12]), body, self._loop.time() - self._due)
        self._load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        """A connection that ends while it owes an answer is a broken one."""
        del error
        if self._busy:
            self._load.broke()
        else:
            self._load.ended(self)


class _Load:
    """Sends requests as connections become free; with a rate, no earlier than each is due."""

    def __init__(self, requests: Iterable[bytes], rate: float | None) -> None:
        self._requests = deque(requests)
        self._rate = rate
        self._free: deque[Connection] = deque()
        self._sent = 0
        self._open = 0
        self._started = 0.0
        self.tally = Tally()
        self.done = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        self._started = self._loop.time()
        self._pump()

    def free(self, connection: Connection) -> None:
        if not self._requests and not self._open:
            self.done.set()
        elif self._rate is None and self._started:
            self._send(connection, self._loop.time())
        else:
            self._free.append(connection)
            if self._started:
                self._pump(again=False)

    def answered(self, status: int, body: bytes, latency: float) -> None:
        self._open -= 1
        self.tally.statuses[status] += 1
        self.tally.latencies.append(latency)
        if b'"yaml_config":"' in body:
            self.tally.with_yaml += 1
        self.tally.seconds = self._loop.time() - self._started

    def ended(self, connection: Connection) -> None:
        """The server has closed one that was idle."""
        if connection in self._free:
            self._free.remove(connection)

    def broke(self) -> None:
        self._open -= 1
        self.tally.broken += 1
        if not self._open:
            self.done.set()

    def _send(self, connection: Connection, due: float) -> None:
        if self._requests:
            self._open += 1
            self._sent += 1
            connection.send(self._requests.popleft(), due)

    def _pump(self, *, again: bool = True) -> None:
        """Send what is due; latency counts from the due moment, not from a late sending."""
        now = self._loop.time()
        while self._free and self._requests:
            due = now if self._rate is None else self._started + self._sent / self._rate
            if due > now:
                break
            self._send(self._free.popleft(), due)
        if again and self._rate is not None and self._requests:
            due = self._started + self._sent / self._rate
            self._loop.call_at(max(due, now + SHORTEST_NAP), self._pump)


async def run(
    url: str, requests: Iterable[bytes], *, connections: int, rate: float | None = None
) -> Tally:
    """Send all requests and wait for every answer.

    Without a rate each connection sends its next request when the last is answered; with one,
    requests are due at even distances whatever the answers do (an open loop).
    """
    loop = asyncio.get_running_loop()
    load = _Load(requests, rate)
    host, port = address(url)
    opened = []
    for _ in range(connections):
        transport, _protocol = await loop.create_connection(lambda: Connection(load), host, port)
        opened.append(transport)
    load.start()
    await load.done.wait()
    for transport in opened:
        transport.close()
    await asyncio.sleep(0)
    return load.tally


def address(url: str) -> tuple[str, int]:
    """Host and port of a server's URL."""
    parts = urlsplit(url)
    assert parts.hostname, url
    assert parts.port, url
    return parts.hostname, parts.port
