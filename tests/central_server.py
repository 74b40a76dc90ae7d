"""A central in this process, served over real HTTP, with the shortcuts that tests want."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from sqlalchemy import text

from central.oidc.flow import Oidc
from central.server import Server, bind, url_of
from central.service import Central, Settings
from central.store import sessions, users
from central.tls import Certificate
from central.tokens import new_session_token
from shared.wire_operator import Pushed


class RunningCentral:
    """Where a central is, and short ways to do what operators do."""

    def __init__(self, whole: Central, url: str) -> None:
        self.whole = whole
        self.url = url
        self._operators: dict[str, httpx.Client] = {}

    def operator(self, role: users.Role = "ADMIN") -> httpx.Client:
        """A client that is logged in with a role, without the cost of a password."""
        if role not in self._operators:
            token = new_session_token()
            email = f"{role.lower()}@example.com"
            with self.whole.engine.begin() as connection:
                if users.by_email(connection, email) is None:  # else: a restored database
                    users.create(connection, email, role, role.title(), "no password")
                user = users.by_email(connection, email)
                assert user is not None
                sessions.start(connection, user.id, sessions.Opening(token.digest))
            self._operators[role] = self.client(token.text)
        return self._operators[role]

    def client(self, token: str | None = None) -> httpx.Client:
        """A client with a bearer token, or none."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # plain HTTP on loopback: reading the authorities' certificates would only take time
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)

    def create_node(self, name: str, region: str = "eu-frankfurt-1") -> str:
        """Make a node; returns its API key."""
        answer = self.operator().post("/v1/nodes", json={"name": name, "region": region})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["api_key"])

    def push(self, node: str, yaml: str, **params: Any) -> Pushed:
        """Give a node a configuration, which must be accepted."""
        answer = self.try_push(node, yaml, **params)
        assert answer.status_code == 200, answer.text
        return Pushed.model_validate_json(answer.content)

    def try_push(self, node: str, yaml: str, **params: Any) -> httpx.Response:
        """Give a node a configuration; whatever is answered."""
        path = f"/v1/nodes/{node}/config"
        return self.operator().put(path, content=yaml.encode(), params=params, headers=YAML)

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """What the database holds."""
        with self.whole.engine.connect() as connection:
            found = connection.execute(text(statement), values).mappings()
            return [dict(row) for row in found]

    def execute(self, statement: str, **values: Any) -> None:
        """Change the database behind central's back."""
        with self.whole.engine.begin() as connection:
            connection.execute(text(statement), values)

    def forget_operators(self) -> None:
        """Close the clients; the next `operator` makes its account anew."""
        for client in self._operators.values():
            client.close()
        self._operators.clear()


YAML = {"Content-Type": "application/yaml"}


@contextlib.contextmanager
def running_central(
    database_url: str,
    *,
    heartbeat_seconds: float = 30.0,
    oidc: Callable[[str], Oidc] | None = None,
    migrate: bool = True,
    trusted_proxies: frozenset[str] = frozenset(),
    certificate: Certificate | None = None,
) -> Iterator[RunningCentral]:
    """Run a central on a database (see `postgres.cluster`) until the block ends.

    `oidc` makes the login through Keycloak for the address that this central gets.
    """
    listener = bind("127.0.0.1", 0)
    url = url_of(listener, tls=certificate is not None)
    settings = Settings(
        database_url,
        heartbeat_seconds,
        migrate=migrate,
        trusted_proxies=trusted_proxies,
        oidc=None if oidc is None else oidc(url),
        public_url=url,
    )
    whole = Central(settings, time.monotonic, random.Random(1))
    listening = threading.Event()
    server = Server(whole.app, listening.set, certificate=certificate)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    running = RunningCentral(whole, url)
    whole.start()
    thread.start()
    try:
        assert listening.wait(10), "central did not start to listen"
        yield running
    finally:
        running.forget_operators()
        server.should_exit = True
        thread.join(15)
        listener.close()
        whole.stop()


def eventually(condition: Callable[[], Any], *, within: float = 10.0) -> Any:
    """Wait for something to become true and return it; it has a deadline."""
    deadline = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.02)
