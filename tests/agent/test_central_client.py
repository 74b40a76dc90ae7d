"""One request, one bounded answer, or one error that says how."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from agent.central_client import CentralClient, CentralError, parse_retry_after
from shared.wire import Acknowledged, Heartbeat, HeartbeatAnswer
from tests.fakes import NOON

BEAT = Heartbeat(
    agent_version="1", stream_id="stream-1", boot_id="boot-0001", sequence=1, sent_at=NOON
)
GOOD = HeartbeatAnswer(ack=Acknowledged(stream_id="stream-1", sequence=3), server_time=NOON)
JSON = {"content-type": "application/json; charset=utf-8"}


def client(
    answer: Callable[[httpx.Request], httpx.Response], ticks: Iterator[float] | None = None
) -> CentralClient:
    http = httpx.Client(transport=httpx.MockTransport(answer))
    monotonic = (lambda: next(ticks)) if ticks else (lambda: 0.0)
    return CentralClient(http, "https://central", lambda: "pk_node_key", monotonic, lambda: NOON)


def reply(status: int, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=JSON | (headers or {}), stream=httpx.ByteStream(body))


def test_a_heartbeat_carries_the_key_and_the_answer_is_read() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(200, GOOD.model_dump_json().encode())

    assert client(answer).post(BEAT) == GOOD
    assert str(seen[0].url) == "https://central/v1/heartbeat"
    assert seen[0].headers["authorization"] == "Bearer pk_node_key"
    assert Heartbeat.model_validate_json(seen[0].content) == BEAT


def test_the_largest_yaml_fits_into_an_answer_however_json_escapes_it() -> None:
    yaml = '"\n' * (512 * 1024)
    whole = GOOD.model_copy(update={"yaml_config": yaml, "config_hash": "0" * 64})
    body = whole.model_dump_json().encode()
    assert len(body) > 2 * len(yaml)
    assert client(lambda _: reply(200, body)).post(BEAT).yaml_config == yaml


WHOLE = GOOD.model_dump_json()
BAD_ANSWERS: dict[str, tuple[int, dict[str, str], bytes, str]] = {
    "a proxy's page with status 200": (200, {"content-type": "text/html"}, b"<html>", "not JSON"),
    "no content type": (200, {}, WHOLE.encode(), "untyped"),
    "garbage": (200, JSON, b"\xff\xfe{", "not one"),
    "truncated": (200, JSON, WHOLE.encode()[:-9], "not one"),
    "another message": (200, JSON, b'{"hello": 1}', "not one"),
    "too large": (200, JSON, b" " * (4 * 1024 * 1024 + 1), "4 MiB"),
    "compressed, unasked": (200, JSON | {"content-encoding": "br"}, b"x", "compressed"),
    "refused with a reason": (
        401,
        JSON,
        b'{"error": "This key was revoked.", "code": "revoked"}',
        "401: This key was revoked.",
    ),
    "refused without": (500, {"content-type": "text/plain"}, b"oops", "500: no reason given"),
    "a redirect": (302, {"location": "http://elsewhere"}, b"", "302"),
}


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys()
)
@pytest.mark.fault(25, 26)
def test_an_answer_that_cannot_be_trusted_is_an_error(
    status: int, headers: dict[str, str], body: bytes, says: str
) -> None:
    whole = httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))
    with pytest.raises(CentralError, match=says) as caught:
        client(lambda _: whole).post(BEAT)
    assert "pk_node_key" not in str(caught.value)


@pytest.mark.fault(3)
def test_a_dripping_answer_ends_at_the_total_deadline() -> None:
    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(1000):
                yield b" "

    times = iter(float(n) for n in range(10_000))
    dripping = httpx.Response(200, headers=JSON, stream=Drip())
    with pytest.raises(CentralError, match="longer than 15 s"):
        client(lambda _: dripping, times).post(BEAT)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError]
)
def test_no_answer_is_an_error_that_names_what_happened(error: type[httpx.HTTPError]) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error("went wrong")

    with pytest.raises(CentralError, match=error.__name__) as caught:
        client(fail).post(BEAT)
    assert caught.value.status is None


def test_a_key_that_cannot_be_sent_is_never_quoted() -> None:
    def quote(request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value {request.headers['authorization']}")

    with pytest.raises(CentralError, match="LocalProtocolError") as caught:
        client(quote).post(BEAT)
    assert "pk_node" not in str(caught.value)

    accented = CentralClient(
        httpx.Client(), "https://central", lambda: "pk_nöde", lambda: 0.0, lambda: NOON
    )
    with pytest.raises(CentralError, match="UnicodeEncodeError") as caught:
        accented.post(BEAT)
    assert "pk_n" not in str(caught.value)


RETRY_AFTER: dict[str, tuple[str | None, float | None]] = {
    "absent": (None, None),
    "seconds": ("7", 7),
    "a date": (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90),
    "absurd": ("999999999", 1800),
    "negative": ("-5", 1),
    "a date in the past": (format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True), 1),
    "words": ("soon", None),
    "not a number": ("nan", None),
}


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER.values(), ids=RETRY_AFTER.keys())
@pytest.mark.fault(33)
def test_retry_after_is_read_and_bounded(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOON) == seconds


def test_a_503_hands_on_its_retry_after() -> None:
    with pytest.raises(CentralError) as caught:
        client(lambda _: reply(503, b"{}", {"retry-after": "12"})).post(BEAT)
    assert (caught.value.status, caught.value.retry_after) == (503, 12)
