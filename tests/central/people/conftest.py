"""One central for all tests about people, emptied of accounts before each."""

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.browser import Browser
from tests.central_server import RunningCentral, running_central


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="session")
def shared_url(cluster: postgres.Cluster) -> str:
    return cluster.new_database()


@pytest.fixture(scope="session")
def shared_central(shared_url: str) -> Iterator[RunningCentral]:
    with running_central(shared_url) as running:
        yield running


@pytest.fixture(scope="session")
def replica(shared_url: str, shared_central: RunningCentral) -> Iterator[RunningCentral]:
    """A second central on the same database."""
    del shared_central  # it must have migrated first
    with running_central(shared_url) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def _cheap_bcrypt() -> Iterator[None]:
    """Patched: accounts here have cheap hashes, which each login would make anew at full cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("central.passwords.COST", 4)
        yield


@pytest.fixture(autouse=True)
def _closed_windows() -> Iterator[None]:
    yield
    Browser.close_all()


@pytest.fixture
def central(shared_central: RunningCentral) -> RunningCentral:
    for table in ("users", "login_throttles", "nodes", "pools"):
        shared_central.execute(f"DELETE FROM {table}")
    shared_central.execute("UPDATE audit_policy SET retention_days = NULL")
    shared_central.forget_operators()
    gate = shared_central.whole.app.state.deps.gate
    gate._addresses.clear()  # all tests come from one address
    gate._total.tokens = gate._total.burst
    return shared_central
