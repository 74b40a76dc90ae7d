"""Central with a certificate of its own: heartbeats over TLS, old protocols, renewed files."""

import contextlib
import os
import shutil
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from central.commands_tls import certificate_of, warn_of_clear_text
from central.errors import StartError
from central.server import DRAIN_SECONDS
from central.tls import Certificate
from tests import postgres
from tests.central_server import RunningCentral, eventually, running_central
from tests.certificates import Authority
from tests.heartbeats import CONFIG, analytics, beat


@dataclass
class Site:
    """A central behind TLS, its authority, and the file that its certificate is in."""

    central: RunningCentral
    authority: Authority
    pem: Path
    home: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.home / "authority.pem"))

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.central.url, headers=headers, verify=self.trust())

    def replace(self, age_of_files: int = 0) -> None:
        """A new certificate in the place of the old one, as a renewal does it."""
        shutil.copy(issue(self.authority, self.home), self.pem)
        stamp = time.time() + age_of_files
        os.utime(self.pem, (stamp, stamp))


def issue(authority: Authority, home: Path) -> Path:
    before = set(home.glob("127.0.0.1-*.pem"))
    authority.server(home)
    (made,) = set(home.glob("127.0.0.1-*.pem")) - before
    return made


@pytest.fixture
def site(cluster: postgres.Cluster, tmp_path: Path) -> Iterator[Site]:
    authority = Authority.create()
    authority.write(tmp_path / "authority.pem")
    pem = tmp_path / "central.pem"
    shutil.copy(issue(authority, tmp_path), pem)
    with running_central(cluster.new_database(), certificate=Certificate(pem, pem)) as central:
        yield Site(central, authority, pem, tmp_path)


def test_heartbeats_and_operators_speak_tls(site: Site) -> None:
    assert site.central.url.startswith("https://")
    key = site.central.create_node("n1")
    site.central.push("n1", CONFIG)
    with site.client(key) as agent:
        for number in range(1, 4):  # the first by ASGI, since its key is new; then the fast lane
            answer = agent.post("/v1/heartbeat", json=beat(number, analytics(number)))
            assert (answer.status_code, answer.json()["ack"]["sequence"]) == (200, number)
        large = [analytics(number, scaling_reason="x" * 3000) for number in range(4, 104)]
        answer = agent.post("/v1/heartbeat", json=beat(4, *large))
        assert (answer.status_code, answer.json()["ack"]["sequence"]) == (200, 103)
    rows = site.central.rows("SELECT count(*) AS n FROM pool_analytics")
    assert rows == [{"n": 103}]
    ip = site.central.rows("SELECT ip_address FROM nodes")
    assert ip == [{"ip_address": "127.0.0.1"}]


def test_a_client_that_does_not_know_the_authority_turns_away(site: Site) -> None:
    with pytest.raises(httpx.ConnectError), httpx.Client(base_url=site.central.url) as stranger:
        stranger.get("/healthz")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused_and_1_2_is_not(site: Site) -> None:
    for version, works in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
        context = site.trust()
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with httpx.Client(base_url=site.central.url, verify=context) as client:
            if works:
                assert client.get("/healthz").status_code == 200
            else:
                with pytest.raises(httpx.ConnectError):
                    client.get("/healthz")


def test_plain_http_gets_no_answer(site: Site) -> None:
    plain = site.central.url.replace("https", "http")
    with pytest.raises(httpx.HTTPError), httpx.Client(base_url=plain) as client:
        client.get("/healthz")


def test_a_renewed_certificate_is_taken_up(tmp_path: Path) -> None:
    authority = Authority.create()
    pem = tmp_path / "central.pem"
    shutil.copy(issue(authority, tmp_path), pem)
    certificate = Certificate(pem, pem)
    assert not certificate.renew()
    shutil.copy(issue(authority, tmp_path), pem)
    os.utime(pem, (2_000_000_000, 2_000_000_000))
    assert certificate.renew()
    assert not certificate.renew()


@pytest.mark.slow
def test_a_running_central_shows_the_renewed_certificate(site: Site) -> None:
    def _serial() -> str:
        with site.client() as client:
            stream = client.stream("GET", "/healthz")
            with stream as answer:
                network = answer.extensions["network_stream"]
                peer = network.get_extra_info("ssl_object").getpeercert()
                answer.read()
        return str(peer["serialNumber"])

    before = _serial()
    site.replace(age_of_files=60)
    eventually(lambda: _serial() != before, within=20)


def test_a_broken_renewal_is_told_once_and_the_old_certificate_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority.create()
    pem = tmp_path / "central.pem"
    shutil.copy(issue(authority, tmp_path), pem)
    certificate = Certificate(pem, pem)
    pem.write_text("half", encoding="utf-8")
    os.utime(pem, (2_000_000_000, 2_000_000_000))
    assert not certificate.renew()
    assert not certificate.renew()
    assert caplog.text.count("cannot be used") == 1


@pytest.mark.parametrize("content", [None, "", "no PEM"])
def test_files_that_cannot_be_used_are_told_at_start(tmp_path: Path, content: str | None) -> None:
    pem = tmp_path / "central.pem"
    if content is not None:
        pem.write_text(content, encoding="utf-8")
    with pytest.raises(StartError, match=r"TLS: .*central.pem.* cannot be used"):
        Certificate(pem, pem)


def test_a_key_without_its_certificate_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="--tls-key needs --tls-certificate"):
        certificate_of(None, tmp_path / "central.key")
    assert certificate_of(None, None) is None


def test_serving_others_in_the_clear_is_told(caplog: pytest.LogCaptureFixture) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        warn_of_clear_text(host)
    assert caplog.text == ""
    warn_of_clear_text("0.0.0.0")
    assert "travel in the clear on 0.0.0.0" in caplog.text


def test_an_idle_client_does_not_hold_up_the_end(cluster: postgres.Cluster, tmp_path: Path) -> None:
    authority = Authority.create()
    trust = ssl.create_default_context(cafile=str(authority.write(tmp_path / "ca.pem")))
    pem = issue(authority, tmp_path)
    with contextlib.ExitStack() as stack:
        certificate = Certificate(pem, pem)
        running = stack.enter_context(
            running_central(cluster.new_database(), certificate=certificate)
        )
        with httpx.Client(base_url=running.url, verify=trust) as client:
            assert client.get("/healthz").status_code == 200
            begun = time.monotonic()
            stack.close()
            assert time.monotonic() - begun < DRAIN_SECONDS - 1
