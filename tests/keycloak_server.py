"""A Keycloak server of our own, on loopback, with a realm that the tests write."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

ADMIN, PASSWORD = "bootstrap", "bootstrap password"
REALM, CLIENT_ID, CLIENT_SECRET = "pools", "poolkeeper", "client secret with % and :"
USER_PASSWORD = "correct horse battery"
START_SECONDS = 600  # a quarter of a minute on an idle machine
Json = dict[str, Any]


def user(name: str, *, realm: list[str] = (), client: list[str] = (), **more: Any) -> Json:  # type: ignore[assignment] # an empty tuple reads as no roles
    """A user of the realm, as Keycloak imports it."""
    return {
        "username": name,
        "enabled": True,
        "email": f"{name}@example.com",
        "emailVerified": True,
        "firstName": name.title(),
        "lastName": "Example",
        "credentials": [{"type": "password", "value": USER_PASSWORD, "temporary": False}],
        "realmRoles": list(realm),
        "clientRoles": {CLIENT_ID: list(client)},
        **more,
    }


USERS = [
    user("olga", realm=["pool-ops"]),
    user("vera", client=["viewer"]),
    user("boris", realm=["pool-ops", "pool-boss"], client=["viewer"]),
    user("nora"),
    user("disa", realm=["pool-ops"], enabled=False),
    user("ivo", realm=["pool-ops"], emailVerified=False),
]


def realm(central_url: str) -> Json:
    """The realm: roles of both kinds, users, and a client with an audience mapper."""
    audience = {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.client.audience": CLIENT_ID, "access.token.claim": "true"},
    }
    client = {
        "clientId": CLIENT_ID,
        "secret": CLIENT_SECRET,
        "publicClient": False,
        "standardFlowEnabled": True,
        "directAccessGrantsEnabled": False,
        "redirectUris": [f"{central_url}/v1/oidc/callback"],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{central_url}/",
            "backchannel.logout.url": f"{central_url}/v1/oidc/backchannel-logout",
            # with it, Keycloak tells one session when it ends all (keycloak/keycloak#22914)
            "backchannel.logout.session.required": "false",
        },
        "protocolMappers": [audience],
    }
    return {
        "realm": REALM,
        "enabled": True,
        "sslRequired": "none",
        "clients": [client],
        "roles": {
            "realm": [{"name": "pool-ops"}, {"name": "pool-boss"}],
            "client": {CLIENT_ID: [{"name": "viewer"}]},
        },
        "users": USERS,
    }


class Keycloak:
    """A running server."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.url = url
        self.issuer = f"{url}/realms/{REALM}"
        self._process = process
        self._log = log
        self._http = httpx.Client(base_url=url, timeout=60, verify=False)

    @classmethod
    @contextlib.contextmanager
    def running(cls, home: str) -> Iterator["Keycloak"]:
        """Start a server with a database in memory, and end it with the block."""
        port, management = _free_port(), _free_port()
        with tempfile.TemporaryDirectory(prefix="keycloak-") as directory:
            log = Path(directory) / "log"
            command = [f"{home}/bin/kc.sh", "start", "--optimized", "--http-enabled=true"]
            command += ["--http-host=127.0.0.1", f"--http-port={port}", "--hostname-strict=false"]
            command += [f"--http-management-port={management}", "--cache=local"]
            environment = {
                **os.environ,
                "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
                "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
                "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",  # to start soon, not to run long
            }
            with log.open("wb") as out:
                process = subprocess.Popen(
                    command, env=environment, stdout=out, stderr=out, start_new_session=True
                )
            server = cls(f"http://127.0.0.1:{port}", process, log)
            try:
                server._wait()
                yield server
            finally:
                server.stop()
                server._http.close()

    def stop(self) -> None:
        """End the server; its address refuses connections from then on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)  # the group that we started
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def import_realm(self, central_url: str) -> None:
        """Create the realm from its written form."""
        self.admin("POST", "/admin/realms", realm(central_url))

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """Ask the administration API."""
        token = self._http.post(
            "/realms/master/protocol/openid-connect/token",
            data={
                "grant_type": "password",
                "client_id": "admin-cli",
                "username": ADMIN,
                "password": PASSWORD,
            },
        ).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = self._http.request(method, path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def user_id(self, name: str) -> str:
        """A user's subject."""
        path = f"/admin/realms/{REALM}/users?username={name}&exact=true"
        return str(self.admin("GET", path)[0]["id"])

    def client_uuid(self, name: str = CLIENT_ID) -> str:
        """Keycloak's own id of a client."""
        return str(self.admin("GET", f"/admin/realms/{REALM}/clients?clientId={name}")[0]["id"])

    def change_user(self, name: str, **values: Any) -> None:
        """Change a user's fields."""
        path = f"/admin/realms/{REALM}/users/{self.user_id(name)}"
        self.admin("PUT", path, {**self.admin("GET", path), **values})

    def set_realm_roles(self, name: str, *wanted: str) -> None:
        """Give a user exactly these realm roles."""
        path = f"/admin/realms/{REALM}/users/{self.user_id(name)}/role-mappings/realm"
        self.admin("DELETE", path, self.admin("GET", path))
        roles = [self.admin("GET", f"/admin/realms/{REALM}/roles/{role}") for role in wanted]
        self.admin("POST", path, roles)

    def rotate_keys(self) -> None:
        """Add a new RSA key that signs from now on, and stop signing with the old one."""
        components = f"/admin/realms/{REALM}/components"
        kind = "org.keycloak.keys.KeyProvider"
        old = self.admin("GET", f"{components}?type={kind}")
        parent = self.admin("GET", f"/admin/realms/{REALM}")["id"]
        self.admin(
            "POST",
            components,
            {
                "name": "newer",
                "providerId": "rsa-generated",
                "providerType": kind,
                "parentId": parent,
                "config": {"priority": ["1000"], "algorithm": ["RS256"], "keySize": ["2048"]},
            },
        )
        for component in old:
            if component["providerId"] == "rsa-generated":
                self.admin("DELETE", f"{components}/{component['id']}")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._log.read_text("utf-8")[-3000:]
            with contextlib.suppress(httpx.HTTPError):
                if self._http.get("/realms/master").is_success:
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
        raise AssertionError("Keycloak did not start: " + self._log.read_text("utf-8")[-3000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
