"""A thousand wrong logins: slowed down, written down, and nobody kept out for good."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from central.passwords import LONGEST_QUEUE, hash_password
from central.store import users
from tests import postgres
from tests.central_server import RunningCentral, eventually, running_central
from tests.heartbeats import beat

PASSWORD = "correct horse battery"
BUSY_CODES = {401, 429, 503}


def attempt(number: int) -> tuple[dict[str, str], dict[str, str]]:
    body = {"email": f"user-{number % 40}@example.com", "password": f"wrong {number}"}
    return body, {"X-Forwarded-For": f"192.0.2.{number % 100}"}


async def flood(url: str, attempts: int) -> list[int]:
    async with httpx.AsyncClient(base_url=url, timeout=60, verify=False) as client:

        async def _one(number: int) -> int:
            body, headers = attempt(number)
            return (await client.post("/v1/login", json=body, headers=headers)).status_code

        found: list[int] = []
        for start in range(0, attempts, 50):
            batch = (_one(number) for number in range(start, min(attempts, start + 50)))
            found += await asyncio.gather(*batch)
        return found


@pytest.fixture
def proxied(cluster: postgres.Cluster) -> Iterator[RunningCentral]:
    proxies = frozenset({"127.0.0.1"})
    with running_central(cluster.new_database(), trusted_proxies=proxies) as running:
        yield running


@pytest.mark.slow
def test_a_thousand_wrong_logins_are_audited_and_lock_nobody_out_for_good(
    proxied: RunningCentral,
) -> None:
    with proxied.whole.engine.begin() as connection:
        hashed = hash_password(PASSWORD, cost=4)
        users.create(connection, "user-1@example.com", "USER", "One", hashed)
    key = proxied.create_node("n1")
    codes = asyncio.run(flood(proxied.url, 1000))
    assert len(codes) == 1000
    assert set(codes) <= BUSY_CODES
    audited = "SELECT count(*) AS n FROM audit_logs WHERE action = 'LOGIN' AND status = 'FAILURE'"
    assert proxied.rows(audited)[0]["n"] == 1000
    with proxied.client(key) as agent:
        assert agent.post("/v1/heartbeat", json=beat(1)).status_code == 200
    (longest,) = proxied.rows(
        "SELECT EXTRACT(EPOCH FROM max(blocked_until) - now()::timestamp)::float8 AS s "
        "FROM login_throttles"
    )
    assert 0 < longest["s"] <= 900
    (rows,) = proxied.rows("SELECT count(*) AS n FROM login_throttles")
    assert rows["n"] <= 40 + 100
    proxied.execute("UPDATE login_throttles SET blocked_until = now() - interval '1 second'")
    body = {"email": "user-1@example.com", "password": PASSWORD}
    with proxied.client() as client:
        headers = {"X-Forwarded-For": "198.51.100.1"}
        assert client.post("/v1/login", json=body, headers=headers).status_code == 200
    assert proxied.operator().get("/v1/audit/verify").json()["ok"] is True


def test_attempts_at_the_same_time_cannot_slip_past_the_count(central: RunningCentral) -> None:
    async def _guess() -> list[int]:
        async with httpx.AsyncClient(base_url=central.url, timeout=60, verify=False) as client:
            body = {"email": "one@example.com", "password": "guess"}
            answers = await asyncio.gather(
                *(client.post("/v1/login", json=body) for _ in range(30))
            )
            return [answer.status_code for answer in answers]

    codes = asyncio.run(_guess())
    assert codes.count(401) <= 5
    assert set(codes) == {401, 429}


def test_more_logins_than_the_queue_holds_are_sent_away_uncounted(central: RunningCentral) -> None:
    worker = central.whole.app.state.deps.passwords
    worker._waiting = LONGEST_QUEUE
    try:
        with central.client() as client:
            body = {"email": "one@example.com", "password": "guess"}
            answer = client.post("/v1/login", json=body)
    finally:
        worker._waiting = 0
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    eventually(lambda: central.rows("SELECT 1 FROM login_throttles WHERE failures = 0"))
    assert central.rows("SELECT 1 FROM login_throttles WHERE failures > 0") == []
