"""A key for the session, and a fresh world behind a real server for each test."""

from collections.abc import Iterator

import oci
import pytest

from simulator.keys import ApiKey, generate
from simulator.server import running
from tests.oci_world import OciWorld, stepped_world


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> ApiKey:
    return generate(tmp_path_factory.mktemp("key"), region="eu-frankfurt-1")


@pytest.fixture
def tenancy(key: ApiKey) -> Iterator[OciWorld]:
    config = oci.config.from_file(str(key.config_file))
    with running(stepped_world(key)) as server:
        yield OciWorld(server, config)
