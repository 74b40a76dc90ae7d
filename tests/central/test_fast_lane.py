"""The short way of ordinary heartbeats, and the bounds on a request's head."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.central_server import RunningCentral, eventually
from tests.heartbeats import beat, metric


class Wire:
    """A raw connection to central, with the key of a node that the cache knows."""

    def __init__(self, central: RunningCentral) -> None:
        self.key = central.create_node("n1")
        with central.client(self.key) as agent:
            assert agent.post("/v1/heartbeat", json=beat(1)).status_code == 200
        parts = urlsplit(central.url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=10)

    def request(self, sequence: int, *extra: str, version: str = "1.1") -> bytes:
        body = json.dumps(beat(sequence, metric(sequence))).encode()
        head = [
            f"POST /v1/heartbeat HTTP/{version}",
            "Host: central",
            f"Authorization: Bearer {self.key}",
            f"Content-Length: {len(body)}",
            *extra,
        ]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answers(self, count: int) -> list[tuple[int, dict[str, object]]]:
        """So many answers: status and body."""
        found: list[tuple[int, dict[str, object]]] = []
        buffer = b""
        while len(found) < count:
            data = self.socket.recv(65536)
            assert data, "the connection ended"
            buffer += data
            while b"\r\n\r\n" in buffer:
                head, _, rest = buffer.partition(b"\r\n\r\n")
                fields = dict(
                    line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line
                )
                length = int(fields[b"content-length"])
                if len(rest) < length:
                    break
                found.append((int(head[9:12]), json.loads(rest[:length])))
                buffer = rest[length:]
        return found

    def is_closed(self) -> bool:
        return self.socket.recv(1) == b""


@pytest.fixture
def wire(central: RunningCentral) -> Iterator[Wire]:
    wire = Wire(central)
    yield wire
    wire.socket.close()


def acknowledged(answers: list[tuple[int, dict[str, object]]]) -> list[object]:
    assert [status for status, _ in answers] == [200] * len(answers)
    return [body["ack"]["sequence"] for _, body in answers]  # type: ignore[index] # JSON


def test_one_connection_serves_many_heartbeats(wire: Wire) -> None:
    for sequence in (2, 3, 4):
        wire.send(wire.request(sequence))
        assert acknowledged(wire.answers(1)) == [sequence]


def test_pipelined_heartbeats_are_answered_in_order(wire: Wire) -> None:
    wire.send(wire.request(2) + wire.request(3) + wire.request(4))
    assert acknowledged(wire.answers(3)) == [2, 3, 4]


def test_a_heartbeat_in_pieces(wire: Wire, central: RunningCentral) -> None:
    whole = wire.request(2)
    for piece in (whole[:20], whole[20:-30], whole[-30:]):
        wire.send(piece)
        assert central.rows("SELECT 1 AS one") == [{"one": 1}]  # time for the piece to arrive
    assert acknowledged(wire.answers(1)) == [2]


def test_a_second_heartbeat_while_the_first_is_committed(wire: Wire) -> None:
    wire.send(wire.request(2))
    wire.send(wire.request(3))
    assert acknowledged(wire.answers(2)) == [2, 3]


@pytest.mark.parametrize("extra", [("Connection: close",), ()], ids=["asked", "HTTP/1.0"])
def test_a_connection_that_shall_end(wire: Wire, extra: tuple[str, ...]) -> None:
    wire.send(wire.request(2, *extra, version="1.1" if extra else "1.0"))
    assert acknowledged(wire.answers(1)) == [2]
    assert wire.is_closed()


def test_a_client_that_left_is_stored_all_the_same(wire: Wire, central: RunningCentral) -> None:
    wire.send(wire.request(2))
    wire.socket.close()
    eventually(lambda: central.rows("SELECT 1 FROM metrics"))


def test_a_bad_heartbeat_leaves_the_connection_usable(wire: Wire) -> None:
    good = wire.request(2)
    wire.send(good.replace(b'"sequence": 2, "sent_at"', b'"sequence": 0, "sent_at"'))
    ((status, body),) = wire.answers(1)
    assert (status, body["code"]) == (422, "invalid")
    wire.send(good)
    assert acknowledged(wire.answers(1)) == [2]


def test_a_head_without_end_is_cut_off(wire: Wire) -> None:
    wire.send(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 20_000)
    assert wire.socket.recv(4096).startswith(b"HTTP/1.1 400 ")


@pytest.mark.slow
def test_a_head_that_dawdles_ends_the_connection(wire: Wire) -> None:
    wire.send(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    assert wire.is_closed()  # within the socket's ten seconds
