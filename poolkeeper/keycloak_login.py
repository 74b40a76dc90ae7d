"""Logging in through Keycloak from a command line: a browser does it, we pick up the session.

The loopback flow of RFC 8252: central sends the browser back to a port that we listen on, with a
code that is worth something only together with the verifier that never leaves this process.
"""

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from poolkeeper.operator_client import OperatorClient, OperatorError
from shared.wire_operator import Session
from shared.wire_people import LoginCode

LONGEST_LOGIN_SECONDS = 600
DONE = b"<!doctype html><title>Poolkeeper</title><p>You can close this window now.</p>"
Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login: `state` comes back with the browser, `verifier` proves that we started it."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    def start_url(self, central: str, port: int) -> str:
        """The address at central that the browser opens."""
        hashed = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_port": port,
            "client_challenge": base64.urlsafe_b64encode(hashed).decode().rstrip("="),
            "client_state": self.state,
        }
        return f"{central}/v1/oidc/login?{urlencode(query)}"

    def code_in(self, query: Query) -> str:
        """The code that the browser brought.

        Raises:
            OperatorError: the login failed, or this is not the answer to our question.
        """
        if not hmac.compare_digest(query.get("state", ""), self.state):
            raise OperatorError("The browser's answer belongs to another login: start it again.")
        if "code" not in query:
            raise OperatorError(query.get("error") or "The login did not succeed.")
        return query["code"]


def log_in(client: OperatorClient, central: str, show: Callable[[str], object]) -> Session:
    """Wait for a browser on this machine; `show` gets the address to open.

    Raises:
        OperatorError: the login failed or took too long.
    """
    attempt = Attempt()
    waiting = _Waiting()
    try:
        show(attempt.start_url(central, waiting.port))
        query = waiting.answer(LONGEST_LOGIN_SECONDS)
    finally:
        waiting.close()
    return _exchange(client, attempt, attempt.code_in(query))


def log_in_by_paste(
    client: OperatorClient, central: str, show: Callable[[str], object], ask: Callable[[], str]
) -> Session:
    """As `log_in` with a browser elsewhere: its last address, which fails to load, is pasted."""
    attempt = Attempt()
    show(attempt.start_url(central, 1024 + secrets.randbelow(64000)))
    query = {name: values[0] for name, values in parse_qs(urlsplit(ask()).query).items()}
    return _exchange(client, attempt, attempt.code_in(query))


def _exchange(client: OperatorClient, attempt: Attempt, code: str) -> Session:
    body = LoginCode(code=code, verifier=attempt.verifier).model_dump()
    return client.ask(Session, "POST", "/v1/oidc/token", json=body)


class _Waiting:
    """A listener on the loopback interface for one answer."""

    def __init__(self) -> None:
        self._answer: Query = {}
        self._come = threading.Event()
        waiting = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server looks for
                parts = urlsplit(self.path)
                found = {name: values[0] for name, values in parse_qs(parts.query).items()}
                is_answer = parts.path == "/" and "state" in found
                self.send_response(200 if is_answer else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(DONE if is_answer else b"")
                if is_answer:
                    waiting.take(found)

            def log_message(self, *_args: object) -> None:
                """Say nothing: the address holds the code."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def take(self, answer: Query) -> None:
        """Keep the first answer."""
        if not self._come.is_set():
            self._answer = answer
            self._come.set()

    def answer(self, seconds: float) -> Query:
        """Wait for the browser."""
        if not self._come.wait(seconds):
            raise OperatorError("Nobody finished the login in the browser.")
        return self._answer

    def close(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
