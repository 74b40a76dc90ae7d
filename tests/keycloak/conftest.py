"""A real Keycloak for `make test-keycloak`; without KEYCLOAK_HOME nothing here is collected."""

import os
import time
from collections.abc import Iterator

import httpx
import pytest

from central.oidc import roles
from central.oidc.flow import Oidc
from central.oidc.model import OidcSettings
from tests import postgres
from tests.browser import Browser
from tests.central_server import RunningCentral, running_central
from tests.keycloak_server import CLIENT_ID, CLIENT_SECRET, Keycloak

ROLES = "realm:pool-ops=DEVOPS, realm:pool-boss=ADMIN, client:poolkeeper/viewer=USER"
collect_ignore_glob = [] if os.environ.get("KEYCLOAK_HOME") else ["test_*.py"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="session")
def ticks() -> list[float]:
    """The monotonic clock of central's caches, moved by hand."""
    return [1000.0]


@pytest.fixture(scope="session")
def keycloak() -> Iterator[Keycloak]:
    with Keycloak.running(os.environ["KEYCLOAK_HOME"]) as running:
        yield running


@pytest.fixture(scope="session")
def central(
    cluster: postgres.Cluster, keycloak: Keycloak, ticks: list[float]
) -> Iterator[RunningCentral]:
    http = httpx.Client(timeout=30, verify=False)

    def _oidc(url: str) -> Oidc:
        keycloak.import_realm(url)
        mapping = roles.parse(ROLES)
        settings = OidcSettings(keycloak.issuer, CLIENT_ID, CLIENT_SECRET, url, mapping)
        return Oidc(settings, http, time.time, lambda: ticks[0])

    with running_central(cluster.new_database(), oidc=_oidc) as running:
        yield running
    http.close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    yield Browser()
    Browser.close_all()
