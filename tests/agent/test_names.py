"""Looking names up, and connecting, without waiting for what hangs."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from agent.connections import pool_classes
from agent.hard_limit import HardLimit, OutOfTimeError
from agent.names import Names
from tests.agent.rig import until


class Resolver:
    """Answers from a table; a name that is not in it hangs until the test ends."""

    def __init__(self, **known: list[str]) -> None:
        self.known = known
        self.asked: list[str] = []
        self.end = threading.Event()

    def __call__(self, host: str, port: int, *_: object) -> list[Any]:
        self.asked.append(host)
        if host not in self.known:
            self.end.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "given up by the system")
        return [(2, 1, 6, "", (address, port)) for address in self.known[host]]


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver(here=["127.0.0.1"], twice=["127.0.0.1", "127.0.0.1"], two=["192.0.2.1", "::1"])
    yield made
    made.end.set()


def test_names_are_looked_up_anew_and_in_the_systems_order(resolver: Resolver) -> None:
    names = Names(resolver)
    assert names.addresses("two", 443, 5) == ["192.0.2.1", "::1"]
    assert names.addresses("twice", 443, 5) == ["127.0.0.1"]
    assert names.addresses("two", 443, 5) == ["192.0.2.1", "::1"]
    assert resolver.asked == ["two", "twice", "two"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "[::1]", "fe80::1%eth0"])
def test_an_address_is_no_question(address: str, resolver: Resolver) -> None:
    assert Names(resolver).addresses(address, 443, 5) == [address]
    assert resolver.asked == []


def test_a_lookup_that_hangs_is_given_up_and_not_begun_again(resolver: Resolver) -> None:
    names = Names(resolver)
    begin = time.monotonic()
    for _ in range(5):
        with pytest.raises(socket.gaierror, match=r"no answer about gone within 0\.1 s"):
            names.addresses("gone", 443, 0.1)
    assert time.monotonic() - begin < 5
    assert resolver.asked == ["gone"], "one lookup, so one thread"
    assert names.addresses("here", 443, 5) == ["127.0.0.1"], "other names are answered"

    resolver.known["gone"] = ["127.0.0.1"]
    resolver.end.set()
    until(lambda: answers(names, "gone") == ["127.0.0.1"], within=5)
    assert resolver.asked == ["gone", "here", "gone"]


def answers(names: Names, host: str) -> list[str]:
    try:
        return names.addresses(host, 443, 5)
    except socket.gaierror:
        return []


def test_what_cannot_be_a_name_is_an_error_like_others() -> None:
    with pytest.raises(OSError, match="is no name of a host"):
        Names().addresses("a" * 64 + ".example", 443, 5)


def test_every_address_has_its_turn_within_one_limit(resolver: Resolver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        resolver.known["host"] = ["127.0.0.2", "127.0.0.1"]
        with socket.create_server(("127.0.0.2", 0)):
            pass  # nobody listens on this address
        pool = pool_classes(Names(resolver), time.monotonic)["http"]("host", port)
        connection = pool._new_conn()
        connection.timeout = 5.0
        connection.connect()
        assert connection.host == "host"
        connection.close()


def test_a_host_that_is_not_found_is_a_connection_that_was_not_made(resolver: Resolver) -> None:
    pool = pool_classes(Names(resolver), time.monotonic)["https"]("gone", 443)
    begin = time.monotonic()
    with pytest.raises(urllib3.exceptions.MaxRetryError, match="no answer about gone") as caught:
        pool.request("GET", "/", retries=0, timeout=0.2)
    assert isinstance(caught.value.reason, urllib3.exceptions.NewConnectionError)
    assert time.monotonic() - begin < 5


def test_a_job_has_its_time_and_not_more() -> None:
    limit, end = HardLimit("test", 2), threading.Event()
    assert limit.run(lambda: 7, 5) == 7
    with pytest.raises(ZeroDivisionError):
        limit.run(lambda: 1 // 0, 5)
    for _ in range(2):
        with pytest.raises(OutOfTimeError, match="nothing whole") as caught:
            limit.run(lambda: end.wait(30), 0.05)
        assert caught.value.was_begun
    with pytest.raises(OutOfTimeError, match="still hang") as caught:
        limit.run(lambda: 7, 5)
    assert not caught.value.was_begun

    end.set()
    until(lambda: not limit.is_full, within=5)
    assert limit.run(lambda: 7, 5) == 7
