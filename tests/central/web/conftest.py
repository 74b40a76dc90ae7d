"""One central for all tests about pages, emptied before each, and people who read them."""

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.central_server import RunningCentral, running_central
from tests.pages import Reader, reading

EMPTIED = (
    "rollouts",  # before users: central goes on with them by itself, and locks them in this order
    "users",
    "enrolment_tokens",
    "login_throttles",
    "nodes",
    "pools",
    "node_lifecycle_logs",
)


@pytest.fixture(scope="session")
def shared_central(cluster: postgres.Cluster) -> Iterator[RunningCentral]:
    with running_central(cluster.new_database()) as running:
        yield running


@pytest.fixture
def central(shared_central: RunningCentral) -> RunningCentral:
    for table in EMPTIED:
        shared_central.execute(f"DELETE FROM {table}")
    shared_central.forget_operators()
    return shared_central


@pytest.fixture
def admin(central: RunningCentral) -> Iterator[Reader]:
    with reading(central, "ADMIN") as reader:
        yield reader


@pytest.fixture
def devops(central: RunningCentral) -> Iterator[Reader]:
    with reading(central, "DEVOPS") as reader:
        yield reader


@pytest.fixture
def user(central: RunningCentral) -> Iterator[Reader]:
    with reading(central, "USER") as reader:
        yield reader


@pytest.fixture(scope="session", autouse=True)
def _cheap_bcrypt() -> Iterator[None]:
    """Patched: accounts here have cheap hashes, which each login would make anew at full cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("central.passwords.COST", 4)
        yield
