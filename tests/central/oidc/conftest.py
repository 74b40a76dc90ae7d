"""A provider that can turn hostile, and a central that trusts only it."""

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
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, FakeProvider

ROLES = "realm:ops=DEVOPS, realm:boss=ADMIN, client:poolkeeper/viewer=USER"


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[FakeProvider]:
    running = FakeProvider()
    yield running
    running.close()


@pytest.fixture
def provider(shared_provider: FakeProvider) -> FakeProvider:
    shared_provider.behave()
    return shared_provider


@pytest.fixture(scope="session")
def clock() -> list[float]:
    """The monotonic clock of central's caches, moved by hand."""
    return [1000.0]


@pytest.fixture
def ticks(clock: list[float]) -> list[float]:
    """As `clock`, with every cache out of date when a test begins."""
    clock[0] += 100_000.0
    return clock


@pytest.fixture(scope="session")
def shared_central(
    cluster: postgres.Cluster, shared_provider: FakeProvider, clock: list[float]
) -> Iterator[RunningCentral]:
    http = httpx.Client(timeout=5, verify=False)

    def _oidc(url: str) -> Oidc:
        mapping = roles.parse(ROLES)
        settings = OidcSettings(shared_provider.issuer, CLIENT_ID, CLIENT_SECRET, url, mapping)
        return Oidc(settings, http, time.time, lambda: clock[0])

    with running_central(cluster.new_database(), oidc=_oidc) as running:
        yield running
    http.close()


@pytest.fixture
def central(
    shared_central: RunningCentral, provider: FakeProvider, ticks: list[float]
) -> RunningCentral:
    """A central without accounts, sessions and logins under way."""
    del provider, ticks  # their set-up is wanted before each test
    for table in ("users", "oidc_logins", "login_throttles"):
        shared_central.execute(f"DELETE FROM {table}")
    shared_central.forget_operators()
    return shared_central


@pytest.fixture
def browser() -> Iterator[Browser]:
    yield Browser()
    Browser.close_all()
