"""A thousand wrong logins: slowed down, written down, and nobody kept out for good."""

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from central.errors import ApiError
from central.login_gate import ADDRESS_BURST, ADDRESS_RATE, TOTAL_BURST, TOTAL_RATE, LoginGate
from central.password_worker import LONGEST_QUEUE
from central.passwords import hash_password
from central.store import users
from tests import postgres
from tests.central_server import RunningCentral, eventually, running_central
from tests.heartbeats import beat

PASSWORD = "correct horse battery"
KIM = "kim@example.com"
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
@pytest.mark.timeout(400)  # bcrypt takes only what other processes leave over
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
    gate = proxied.whole.app.state.deps.gate
    gate.report(proxied.whole.engine)
    (audited,) = proxied.rows(
        "SELECT count(*) FILTER (WHERE action = 'LOGIN') AS single, "
        "sum((details::json ->> 'count')::int) FILTER (WHERE action = 'LOGINS_TURNED_AWAY') "
        "AS in_sum FROM audit_logs WHERE status = 'FAILURE'"
    )
    assert audited["single"] >= TOTAL_BURST
    assert audited["single"] + audited["in_sum"] == 1000
    with proxied.client(key) as agent:
        assert agent.post("/v1/heartbeat", json=beat(1)).status_code == 200
    (longest,) = proxied.rows(
        "SELECT EXTRACT(EPOCH FROM max(blocked_until) - now()::timestamp)::float8 AS s "
        "FROM login_throttles"
    )
    assert (longest["s"] or 0.0) <= 900
    (rows,) = proxied.rows("SELECT count(*) AS n FROM login_throttles")
    assert rows["n"] <= 40 + 100
    proxied.execute("UPDATE login_throttles SET blocked_until = now() - interval '1 second'")
    body = {"email": "user-1@example.com", "password": PASSWORD}
    headers = {"X-Forwarded-For": "198.51.100.1"}
    with proxied.client() as client:
        eventually(lambda: client.post("/v1/login", json=body, headers=headers).is_success)
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


def test_more_logins_than_the_queue_holds_are_turned_away_uncounted(
    central: RunningCentral,
) -> None:
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
    assert central.rows("SELECT 1 FROM login_throttles") == []


def test_who_logged_in_before_gets_in_during_a_flood(central: RunningCentral) -> None:
    with central.whole.engine.begin() as connection:
        for name in ("kim", "robin"):
            users.create(
                connection, f"{name}@example.com", "USER", name, hash_password(PASSWORD, cost=4)
            )
    gate = central.whole.app.state.deps.gate

    def _log_in(email: str) -> int:
        with central.client() as client:
            body = {"email": email, "password": PASSWORD}
            return client.post("/v1/login", json=body).status_code

    assert _log_in(KIM) == 200
    gate._total.tokens = -100.0  # as a flood would have left it
    assert [_log_in("robin@example.com"), _log_in(KIM)] == [503, 200]


# the gate itself ---------------------------------------------------------------------------------


def passed(gate: LoginGate, address: str, attempts: int) -> list[int]:
    """The statuses of so many attempts; 0 for those that may go on."""
    found = []
    for _ in range(attempts):
        try:
            gate.enter(KIM, address, busy=False)
            found.append(0)
        except ApiError as refusal:
            found.append(refusal.status)
    return found


def test_an_address_has_a_burst_and_then_a_rate() -> None:
    clock = [0.0]
    gate = LoginGate(lambda: clock[0])
    burst = int(ADDRESS_BURST)
    assert passed(gate, "a", burst + 1) == [0] * burst + [429]
    clock[0] += 1 / ADDRESS_RATE
    assert passed(gate, "a", 2) == [0, 429]


def test_many_addresses_together_are_bounded_too() -> None:
    clock = [0.0]
    gate = LoginGate(lambda: clock[0])
    burst = int(TOTAL_BURST)
    answers = [passed(gate, str(number), 1)[0] for number in range(burst + 5)]
    assert answers == [0] * burst + [503] * 5
    clock[0] += 3 / TOTAL_RATE
    assert passed(gate, "fresh", 10).count(0) == 3


@pytest.mark.parametrize("addresses", [1, 100])
def test_logins_that_succeed_cost_nothing(addresses: int) -> None:
    gate = LoginGate(lambda: 0.0)
    for number in range(3 * int(TOTAL_BURST)):
        address = str(number % addresses)
        assert passed(gate, address, 1) == [0]
        gate.succeeded(f"user-{number}@example.com", address)


def test_one_address_cannot_use_up_what_there_is_for_all() -> None:
    clock = [0.0]
    gate = LoginGate(lambda: clock[0])
    for second in range(600):
        clock[0] = float(second)
        passed(gate, "flood", 10)
    assert passed(gate, "other", 1) == [0]


def test_whoever_succeeded_from_an_address_passes_a_flood_from_others() -> None:
    gate = LoginGate(lambda: 0.0)
    gate.enter(KIM, "desk", busy=False)
    gate.succeeded(KIM, "desk")
    burst = int(TOTAL_BURST)
    assert [passed(gate, str(number), 1)[0] for number in range(burst + 1)] == [0] * burst + [503]
    assert passed(gate, "desk", 1) == [0]
    with pytest.raises(ApiError, match="Too many logins"):
        gate.enter("robin@example.com", "desk", busy=False)  # the same address, not the same person
    rest = int(ADDRESS_BURST) - 2
    assert passed(gate, "desk", rest + 1) == [0] * rest + [429]  # it has no more than others have


def test_a_familiar_login_still_waits_for_bcrypt() -> None:
    gate = LoginGate(lambda: 0.0)
    gate.succeeded(KIM, "desk")
    with pytest.raises(ApiError) as refused:
        gate.enter(KIM, "desk", busy=True)
    assert refused.value.status == 503


def test_what_is_turned_away_is_audited_in_one_row(central: RunningCentral) -> None:
    gate = LoginGate(lambda: 0.0)
    burst = int(ADDRESS_BURST)
    passed(gate, "192.0.2.1", burst + 3)
    gate._total.tokens = TOTAL_BURST
    passed(gate, "192.0.2.2", burst + 1)
    gate.report(central.whole.engine)
    gate.report(central.whole.engine)
    rows = central.rows("SELECT * FROM audit_logs ORDER BY id DESC LIMIT 2")
    assert [row["action"] for row in rows].count("LOGINS_TURNED_AWAY") == 1
    details = json.loads(rows[0]["details"])
    assert details == {
        "count": 4,
        "addresses": {"192.0.2.1": 3, "192.0.2.2": 1},
        "accounts": {"kim@example.com": 4},
    }
