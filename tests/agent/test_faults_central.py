"""What the agent does when the way to central breaks. Numbers are those of docs/faults.md."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.central_client import CentralClient, CentralError
from agent.errors import CallError
from agent.keyring import Keyring
from agent.names import Names
from agent.oci_pools import OciPools
from agent.pools import PoolRef
from agent.rotation import RotatingCentral
from agent.trust import FreshTrust
from shared.wire import Acknowledged, Heartbeat, HeartbeatAnswer
from tests.agent.rig import COMPARTMENT, REGION, Rig, config_yaml, pool_yaml, wall_now
from tests.certificates import Authority, tls_server
from tests.fakes import NOON, FakeCentral

BEAT = Heartbeat(
    agent_version="1", stream_id="stream-1", boot_id="boot-0001", sequence=1, sent_at=NOON
)
GOOD = HeartbeatAnswer(ack=Acknowledged(stream_id="stream-1", sequence=0), server_time=NOON)


def answer() -> bytes:
    return GOOD.model_dump_json().encode()


def client(url: str, http: httpx.Client | None = None, key: str = "key") -> CentralClient:
    made = http or httpx.Client(trust_env=False)
    return CentralClient(made, url, lambda: key, time.monotonic, wall_now)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.slow
def test_fault_2_a_black_hole_ends_at_the_deadline_and_no_tick_waits_for_it(
    rig: Rig, black_hole: str
) -> None:
    rig.add_pool("web", size=2, demand=190)
    agent = rig.agent(config_yaml(pool_yaml("web")), central=client(black_hole))
    failures: list[CentralError] = []

    def beat() -> None:
        try:
            agent.beat()
        except CentralError as error:
            failures.append(error)

    begin = time.monotonic()
    thread = threading.Thread(target=beat)
    thread.start()
    rig.run(agent, minutes=4)
    assert rig.size("web") == 4
    assert thread.is_alive(), "the heartbeat still waits, the ticks did not"
    thread.join(20)
    assert time.monotonic() - begin < 17
    assert "does not answer" in str(failures[0])
    agent.close()


TLS: dict[str, tuple[str, timedelta, bool, str]] = {
    "expired": ("127.0.0.1", timedelta(days=30), True, "expired"),
    "another host's": ("elsewhere.test", timedelta(0), True, "match|mismatch"),
    "an unknown authority's": ("127.0.0.1", timedelta(0), False, "self-signed|unable to get"),
}


@pytest.mark.parametrize(("host", "age", "known", "says"), TLS.values(), ids=TLS.keys())
def test_fault_27_a_certificate_that_is_wrong_is_refused_with_its_reason(
    tmp_path: Path, host: str, age: timedelta, known: bool, says: str
) -> None:
    authority = Authority.create()
    trusted = authority if known else Authority.create()
    bundle = trusted.write(tmp_path / "ca.pem")
    with tls_server(authority.server(tmp_path, host, age), answer) as url:
        http = httpx.Client(transport=FreshTrust(bundle))
        with pytest.raises(CentralError, match=says):
            client(url, http).post(BEAT)


def test_fault_28_a_new_authority_is_trusted_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority.create(), Authority.create()
    bundle = old.write(tmp_path / "ca.pem")
    http = httpx.Client(transport=FreshTrust(bundle))
    with tls_server(old.server(tmp_path), answer) as url:
        assert client(url, http).post(BEAT) == GOOD
    with tls_server(new.server(tmp_path), answer) as url:
        with pytest.raises(CentralError):
            client(url, http).post(BEAT)
        new.write(tmp_path / "fresh.pem").replace(bundle)
        assert client(url, http).post(BEAT) == GOOD
        bundle.write_text("no certificate at all")
        assert client(url, http).post(BEAT) == GOOD, "a broken bundle weakens nothing"


def dripping(listener: socket.socket, head: bytes) -> None:
    """Answer one request with a byte a second, for as long as the other side listens."""
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        connection.sendall(head)
        for _ in range(60):
            connection.sendall(b"x")
            threading.Event().wait(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nx-header: ", b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n"],
    ids=["header", "body"],
)
def test_fault_3_an_answer_that_drips_ends_at_the_deadline(rig: Rig, head: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(2):
            threading.Thread(target=dripping, args=(listener, head), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        around = replace(rig.surroundings(), monotonic=time.monotonic)
        pools = OciPools(rig.client(replace(rig.settings, oci_endpoint=url), around))
        begin, ends = time.monotonic(), []

        def ask_oci() -> None:
            with pytest.raises(CallError, match="nothing whole came within 15 s"):
                pools.in_compartment(REGION, COMPARTMENT)
            ends.append(time.monotonic() - begin)

        thread = threading.Thread(target=ask_oci)
        thread.start()
        with pytest.raises(CentralError, match="15 s"):
            client(url).post(BEAT)
        thread.join(5)
        assert ends
        assert time.monotonic() - begin < 18


def test_fault_29_names_are_resolved_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> object:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # Names are the system's affair: there is no other place to make one fail.
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    central = client("http://central.test:9")
    for _ in range(2):
        with pytest.raises(CentralError, match="Name or service not known"):
            central.post(BEAT)
    assert asked == ["central.test", "central.test"]


@pytest.mark.slow
def test_fault_29_a_resolver_that_hangs_ends_at_the_deadline_and_no_tick_waits_for_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, real = threading.Event(), socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> object:
        if host == "central.test":
            hangs.wait(60)
        return real("127.0.0.1", *rest, **more)

    # As above; `make test-systemd` does the same with a name server that never answers.
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    rig.add_pool("web", size=2, demand=190)
    central = client("http://central.test:9")
    agent = rig.agent(config_yaml(pool_yaml("web")), central=central)
    failures: list[str] = []

    def beat() -> None:
        try:
            agent.beat()
        except CentralError as error:
            failures.append(str(error))

    begin = time.monotonic()
    thread = threading.Thread(target=beat)
    thread.start()
    rig.run(agent, minutes=5)
    assert not failures, "the ticks did not wait for the heartbeat"
    assert rig.size("web") > 2
    thread.join(20)
    assert failures == ["central does not answer: nothing whole came within 15 s"]
    assert 14 < time.monotonic() - begin < 17
    with pytest.raises(CentralError, match="earlier requests still hang"):
        central.post(BEAT)
    hangs.set()
    agent.close()


@pytest.mark.slow
def test_fault_29_a_resolver_that_hangs_sends_nothing_to_oci_and_takes_its_time_once(
    rig: Rig,
) -> None:
    hangs = threading.Event()

    def resolve(*_: object) -> list[Any]:
        hangs.wait(60)
        return []

    rig.add_pool("web")
    port = rig.server.url.rpartition(":")[2]
    given = replace(rig.settings, oci_endpoint=f"http://oci.test:{port}")
    here = [(2, 1, 6, "", ("127.0.0.1", 0))]
    ref = PoolRef(rig.world.pool("web").id, COMPARTMENT, REGION)

    begin = time.monotonic()
    pools = OciPools(rig.client(given, rig.surroundings(), Names(resolve)))
    with pytest.raises(CallError) as caught:
        pools.resize(ref, 3, etag="any", token="token")
    assert time.monotonic() - begin < 15
    assert caught.value.cause.certainty == "not_sent"
    assert rig.requests() == {}
    hangs.set()

    works = OciPools(rig.client(given, rig.surroundings(), Names(lambda *_: here)))
    assert works.get(ref).pool.size == 2
    assert rig.size("web") == 2, "what was given up was never sent later"


class Refusing(FakeCentral):
    """Answers 401 to everything."""

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        raise CentralError("central answers 401: This key was revoked.", status=401)


def test_fault_30_and_31_a_revoked_key_wipes_nothing_and_scaling_goes_on(rig: Rig) -> None:
    rig.add_pool("web", size=2, demand=190)
    central = FakeCentral()
    central.give(config_yaml(pool_yaml("web")))
    agent = rig.agent(central=central)
    agent.beat()
    rig.run(agent, minutes=1)
    agent.close()

    again = rig.agent(central=Refusing())
    for _ in range(10):
        with pytest.raises(CentralError):
            again.beat()
        rig.run(again, minutes=0.5)
    assert rig.size("web") == 4
    assert again.central is not None
    assert "revoked" in str(again.central.error)
    assert again.outbox.pending() > 0
    again.close()


def reply(status: int, body: bytes) -> httpx.Response:
    kind = {"content-type": "application/json"}
    return httpx.Response(status, headers=kind, stream=httpx.ByteStream(body))


class Rotating:
    """A central that knows two keys for a while, and one afterwards."""

    def __init__(self) -> None:
        self.good = {"old", "new"}
        self.used: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.used.append(key)
        if key not in self.good:
            return reply(401, b'{"error": "unknown key", "code": "unknown"}')
        if key == "new":
            self.good = {"new"}
        handed = GOOD.model_copy(update={"next_api_key": "new" if key == "old" else None})
        return reply(200, handed.model_dump_json().encode())


def rotating(central: Callable[[httpx.Request], httpx.Response], home: Path) -> RotatingCentral:
    http = httpx.Client(transport=httpx.MockTransport(central))
    ring = Keyring(home, "old", pytest.fail)
    made = CentralClient(http, "https://central", ring.current, time.monotonic, wall_now)
    return RotatingCentral(made, ring)


def test_fault_32_a_rotation_killed_after_any_heartbeat_leaves_a_key_that_works(
    tmp_path: Path,
) -> None:
    for lives in range(1, 5):
        central, home = Rotating(), tmp_path / str(lives)
        home.mkdir()
        for _ in range(4):
            node = rotating(central, home)  # a new process, whatever the one before had done
            for _ in range(lives):
                node.post(BEAT)
        assert central.used[-1] == "new"
        assert (home / "api_key").read_text() == "new"
        assert (home / "api_key").stat().st_mode & 0o077 == 0
        assert not (home / "api_key.next").exists()


def test_fault_32_a_successor_that_central_forgot_gives_way_to_the_old_key(tmp_path: Path) -> None:
    (tmp_path / "api_key.next").write_text("never-activated")
    central = Rotating()
    node = rotating(central, tmp_path)
    with pytest.raises(CentralError):
        node.post(BEAT)
    assert node.post(BEAT).next_api_key == "new"
    assert central.used == ["never-activated", "old"]


def test_fault_32_a_disk_that_refuses_keeps_the_old_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems: list[str] = []
    ring = Keyring(tmp_path, "old", problems.append)
    # A full disk cannot be had for a test; this is where the error would come from.
    monkeypatch.setattr("agent.keyring.write_atomically", _full)
    ring.offer("new")
    assert ring.current() == "old"
    assert "cannot keep the node's new key" in problems[0]
    assert "new" not in problems[0].replace("new key", "")


def test_a_successor_that_is_no_key_is_not_taken(tmp_path: Path) -> None:
    problems: list[str] = []
    (tmp_path / "api_key").write_text("pk_node_a\npk_node_b")
    ring = Keyring(tmp_path, "old", problems.append)
    ring.offer("pk_node_c\npk_node_d")
    assert ring.current() == "old"
    assert "a key that is not one" in problems[0]
    assert "pk_node" not in problems[0]


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_key_is_never_printed() -> None:
    handed = GOOD.model_copy(update={"next_api_key": "s3cret"})
    assert "s3cret" not in repr(handed)
