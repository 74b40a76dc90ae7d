"""Central as a whole: what can be said of it without a database."""

import random
import time

from central.service import Central, Settings


def test_a_central_is_put_together_and_taken_apart_without_a_database() -> None:
    settings = Settings("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    whole = Central(settings, time.monotonic, random.Random(1))
    assert {"/healthz", "/v1/heartbeat"} <= whole.app.openapi()["paths"].keys()
    whole.stop()
