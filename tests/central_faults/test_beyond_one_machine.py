"""Two centrals behind a plain balancer on a replicated PostgreSQL whose primary is lost."""

import random
import threading
import time

import pytest

from central.database import open_engine
from tests.central_process import CentralProcess, central_processes
from tests.fault_proxy import TcpProxy
from tests.oracle import Oracle
from tests.replicated_postgres import replicated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LONGEST_GAP_SECONDS = 10.0


def test_the_loss_of_the_primary() -> None:
    with replicated() as pair, central_processes(2, pair.url) as centrals:
        chance = random.Random(5)
        engine = open_engine(pair.url)
        with TcpProxy(lambda: chance.choice(centrals).port) as balancer:
            oracle = Oracle(engine, lambda: balancer.url)
            with oracle.load():
                oracle.progress(200)
                pair.fail_over()
                promoted = time.monotonic()
                oracle.progress(100, within=LONGEST_GAP_SECONDS)
                for central in centrals:
                    _answers(oracle, central, promoted + LONGEST_GAP_SECONDS)
                oracle.progress(200)
        oracle.check()
        engine.dispose()


def _answers(oracle: Oracle, central: CentralProcess, deadline: float) -> None:
    """Wait until this central acknowledges again, each on its own."""
    agent = oracle.add(lambda: central.url)
    pause = threading.Event()
    while agent.report() != 200:
        assert time.monotonic() < deadline, f"{central.url} does not go on"
        pause.wait(0.05)
    agent.hang_up()
