"""The channels against real servers: a webhook, an SMTP server, and OCI's signatures."""

import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from central.commands_notify import notify_settings, notify_test
from central.errors import StartError
from central.notify.mail import Mail
from central.notify.model import ChannelError, Digest, Message
from central.notify.oci_topic import OciTopic, Profile
from central.notify.webhook import SIGNATURE, Webhook
from simulator.keys import generate
from simulator.signatures import KeyRing, Request
from tests.certificates import Authority
from tests.mail_server import mail_server

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OFFLINE = Message("firing", "node_offline", "n1", "no heartbeat\nsince noon", NOON)
OVER = Message("resolved", "stuck", "n2/web", "busy for long", NOON)
DIGEST = Digest("7-8", (OFFLINE, OVER), NOON, "https://pools.example.com")


@dataclass
class Hook:
    """A web server that keeps the requests it gets."""

    url: str = ""
    status: int = 204
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def web_server() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            hook.requests.append((self.path, headers, body))
            self.send_response(hook.status)
            if 300 <= hook.status < 400:
                self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its parent's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with web_server() as found:
        yield found


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, verify=False) as client:
        yield client


def test_a_webhook_is_signed_json(hook: Hook, http: httpx.Client) -> None:
    Webhook(hook.url + "/in?a=b", "s3cret", http, lambda: 1_772_452_800.7).send(DIGEST)
    ((path, headers, body),) = hook.requests
    assert path == "/in?a=b"
    signed = hmac.new(b"s3cret", b"1772452800." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE.lower()] == f"t=1772452800,v1={signed}"
    assert headers["x-poolkeeper-delivery"] == "7-8"
    told = json.loads(body)
    assert told["notifications"][0] == {
        "state": "firing",
        "kind": "node_offline",
        "subject": "n1",
        "text": "no heartbeat\nsince noon",
        "since": "2026-03-02T12:00:00Z",
    }
    assert told["text"].startswith("1 new, 1 resolved: n1 OFFLINE and 1 more\n")
    assert (told["source"], told["omitted"]) == ("https://pools.example.com", 0)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
def test_a_webhook_that_does_not_accept_is_a_failure_and_never_followed(
    hook: Hook, http: httpx.Client, status: int
) -> None:
    hook.status = status
    with pytest.raises(ChannelError, match=f"the answer was status {status}"):
        Webhook(hook.url, "s3cret", http, lambda: 0).send(DIGEST)
    assert len(hook.requests) == 1


def test_a_webhook_that_is_not_there_is_a_failure_without_its_address(http: httpx.Client) -> None:
    with pytest.raises(ChannelError) as failed:
        Webhook("http://127.0.0.1:1/token-in-path", "s3cret", http, lambda: 0).send(DIGEST)
    assert str(failed.value) == "no answer (ConnectError)"


def mail(port: int, security: str = "none", context: ssl.SSLContext | None = None) -> Mail:
    trust = context or ssl.create_default_context()
    people = ("a@example.com", "b@example.com")
    secrets = ("pk", "pass word") if security != "none" else (None, None)
    return Mail("127.0.0.1", port, "pk@example.com", people, security, trust, *secrets)


def test_a_mail_reads_well_and_keeps_its_head() -> None:
    with mail_server() as server:
        mail(server.port).send(DIGEST)
    (text,) = server.mails
    message = message_from_string(text, policy=policy.default)
    assert message["Subject"] == "[poolkeeper] 1 new, 1 resolved: n1 OFFLINE and 1 more"
    assert message["To"] == "a@example.com, b@example.com"
    assert message["Message-ID"] == "<poolkeeper-7-8@example.com>"
    body = message.get_content()
    assert "n1 OFFLINE: no heartbeat" in body
    assert "resolved: n2/web stuck (since 2026-03-02 12:00 UTC)" in body


def test_a_line_break_in_a_name_adds_no_header() -> None:
    strange = Message("firing", "node_offline", "n1\r\nBcc: x@example.com", "x", NOON)
    with mail_server() as server:
        mail(server.port).send(Digest("1-1", (strange,), NOON, "here"))
    assert message_from_string(server.mails[0])["Bcc"] is None


def test_starttls_is_required_and_verified(tmp_path: Path) -> None:
    authority = Authority.create()
    trust = ssl.create_default_context(cafile=str(authority.write(tmp_path / "ca.pem")))
    with mail_server(authority.server(tmp_path)) as server:
        mail(server.port, "starttls", trust).send(DIGEST)
        assert (server.encrypted, len(server.logins)) == ([True], 1)
        with pytest.raises(ChannelError, match="SSLCertVerificationError"):
            mail(server.port, "starttls").send(DIGEST)
    with mail_server() as plain, pytest.raises(ChannelError, match="SMTPNotSupportedError"):
        mail(plain.port, "starttls", trust).send(DIGEST)
    assert plain.mails == []


def test_a_refused_recipient_and_a_server_that_is_away_are_failures() -> None:
    with mail_server() as server:
        server.refuses = 550
        with pytest.raises(ChannelError, match="SMTPRecipientsRefused"):
            mail(server.port).send(DIGEST)
    with pytest.raises(ChannelError, match="ConnectionRefusedError"):
        mail(server.port).send(DIGEST)


def test_a_topic_is_published_to_with_ocis_signature(
    hook: Hook, http: httpx.Client, tmp_path: Path
) -> None:
    key = generate(tmp_path, region="eu-frankfurt-1")
    profile = Profile.load(key.config_file, "DEFAULT")
    topic = "ocid1.onstopic.oc1.eu-frankfurt-1.abc"
    OciTopic(topic, profile, hook.url, http, NOON.timestamp).send(DIGEST)
    ((path, headers, body),) = hook.requests
    assert path == f"/20181201/topics/{topic}/messages"
    told = json.loads(body)
    assert told["title"] == "1 new, 1 resolved: n1 OFFLINE and 1 more"
    assert "n1 OFFLINE: no heartbeat" in told["body"]
    ring = KeyRing()
    ring.register(key.tenancy, key.user, key.public_key.read_text())
    signer = ring.verify(Request("POST", path, headers, body), NOON)
    assert signer.key_id == profile.key_id


WRONG: dict[str, dict[str, str]] = {
    "plain http": {"POOLKEEPER_NOTIFY_WEBHOOK_URL": "http://example.com/x"},
    "no secret": {"POOLKEEPER_NOTIFY_WEBHOOK_URL": "https://example.com/x"},
    "nobody to mail to": {"POOLKEEPER_NOTIFY_SMTP": "smtp://mail.example.com"},
    "no such scheme": {"POOLKEEPER_NOTIFY_SMTP": "ftp://mail.example.com"},
    "no profile": {
        "POOLKEEPER_NOTIFY_OCI_TOPIC": "ocid1.onstopic.oc1..x",
        "POOLKEEPER_NOTIFY_OCI_CONFIG": "/nonexistent",
    },
    "no number": {"POOLKEEPER_NOTIFY_AT_LIMIT_MINUTES": "soon"},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_are_told_at_start(name: str) -> None:
    with pytest.raises(StartError):
        notify_settings(WRONG[name])


def test_mail_is_encrypted_but_on_this_machine() -> None:
    people = {
        "POOLKEEPER_NOTIFY_MAIL_FROM": "pk@example.com",
        "POOLKEEPER_NOTIFY_MAIL_TO": "a@example.com,b@example.com",
    }
    for server, security, port in (
        ("smtp://mail.example.com", "starttls", 587),
        ("mail.example.com:2525", "starttls", 2525),
        ("smtps://mail.example.com", "tls", 465),
        ("smtp://127.0.0.1", "none", 25),
    ):
        (channel,) = notify_settings({"POOLKEEPER_NOTIFY_SMTP": server, **people}).channels
        assert isinstance(channel, Mail)
        assert (channel.security, channel.port) == (security, port)


def test_notify_test_tells_of_every_channel(hook: Hook) -> None:
    with mail_server() as server:
        environment = {
            "POOLKEEPER_NOTIFY_WEBHOOK_URL": hook.url,
            "POOLKEEPER_NOTIFY_WEBHOOK_SECRET": "s3cret",
            "POOLKEEPER_NOTIFY_SMTP": f"smtp://127.0.0.1:{server.port}",
            "POOLKEEPER_NOTIFY_MAIL_FROM": "pk@example.com",
            "POOLKEEPER_NOTIFY_MAIL_TO": "a@example.com",
        }
        done = CliRunner(env=environment).invoke(notify_test)
        assert (done.exit_code, done.stdout) == (0, "webhook: sent\nmail: sent\n")
        hook.status = 500
        done = CliRunner(env=environment).invoke(notify_test)
        assert done.exit_code == 1
        assert "webhook: the answer was status 500" in done.stdout
    assert CliRunner(env={}).invoke(notify_test).exit_code == 2
