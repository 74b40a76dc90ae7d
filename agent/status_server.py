"""Metrics, health and status over HTTP, for callers on this machine only."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from agent.addresses import Listen
from agent.service import Agent
from agent.status import health, status_document
from agent.telemetry import Telemetry

log = logging.getLogger(__name__)
ADDRESS_FILE = "status.url"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_JSON = "application/json"


class Pages:
    """Answers for one agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._telemetry = Telemetry(agent)

    def get(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body of a page."""
        if path == "/metrics":
            return 200, _TEXT, self._telemetry.text()
        if path == "/healthz":
            well, reason = health(self._agent)
            return (200 if well else 503), _TEXT, f"{reason}\n".encode()
        if path == "/status":
            return 200, _JSON, json.dumps(status_document(self._agent)).encode()
        return 404, _TEXT, b"there are /metrics, /healthz and /status\n"


@contextmanager
def serving(agent: Agent, listen: Listen | None) -> Iterator[str | None]:
    """Serve until the block ends; yield the address, None when there is none.

    A port that is taken stops no agent: it is logged, and nothing is served. The address is left
    in the state directory for `poolkeeper agent status`.
    """
    if listen is None:
        yield None
        return
    try:
        server = ThreadingHTTPServer((listen.host, listen.port), _handler(Pages(agent)))
    except OSError as error:
        log.warning("no metrics: cannot listen on %s:%d: %s", listen.host, listen.port, error)
        yield None
        return
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="status", daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    url = f"http://{host!s}:{port}"
    file = agent.settings.state_dir / ADDRESS_FILE
    try:
        _leave(file, url)
        yield url
    finally:
        server.shutdown()
        server.server_close()
        file.unlink(missing_ok=True)


def _leave(file: Path, url: str) -> None:
    try:
        file.write_text(url, encoding="utf-8")
    except OSError as error:
        log.warning("cannot write %s: %s", file, error)


def _handler(pages: Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Serves GET only, and only to those who call this machine by a loopback name."""

        timeout = 5
        server_version = "poolkeeper"
        sys_version = ""

        def do_GET(self) -> None:
            if not _is_local(self.headers.get("host", "")):
                self._answer(403, _TEXT, b"call 127.0.0.1 or localhost\n")
                return
            self._answer(*pages.get(urlsplit(self.path).path))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its parent's name
            log.debug(format, *args)

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.send_header("cache-control", "no-store")
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _is_local(host: str) -> bool:
    """Refuse names that resolve to loopback by somebody else's doing (DNS rebinding)."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
