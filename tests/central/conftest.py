"""One PostgreSQL for the session, one database and one central for each test that asks."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from central.database import open_engine
from tests import postgres
from tests.central_server import RunningCentral, running_central


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture
def database_url(cluster: postgres.Cluster) -> str:
    return cluster.new_database()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def central(database_url: str) -> Iterator[RunningCentral]:
    with running_central(database_url) as running:
        yield running
