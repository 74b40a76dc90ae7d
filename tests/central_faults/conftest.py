"""A PostgreSQL that keeps its promises (fsync, synchronous commits), and a database per test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from central.database import open_engine
from tests import postgres

DURABLE = {"fsync": "on", "synchronous_commit": "on"}


@pytest.fixture
def durable() -> Iterator[postgres.Cluster]:
    """A cluster of the test's own, since the test is going to break it."""
    with postgres.cluster(DURABLE) as running:
        yield running


@pytest.fixture
def database_url(durable: postgres.Cluster) -> str:
    return durable.new_database()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()
