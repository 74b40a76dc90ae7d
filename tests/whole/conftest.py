"""The whole thing in one process: simulator, agent with stepped time, central on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.keys import ApiKey, generate
from tests import postgres
from tests.agent.rig import Rig, rig_on


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> ApiKey:
    return generate(tmp_path_factory.mktemp("key"), region="eu-frankfurt-1")


@pytest.fixture
def rig(key: ApiKey, tmp_path: Path) -> Iterator[Rig]:
    with rig_on(key, tmp_path) as found:
        yield found
