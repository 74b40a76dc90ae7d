"""Logging in and out, what roles may do, and what is audited."""

from typing import Any

import pytest

from central.passwords import hash_password
from central.store import users
from tests.central_server import YAML, RunningCentral
from tests.heartbeats import CONFIG

PASSWORD = "correct horse battery"


@pytest.fixture
def anna(central: RunningCentral) -> RunningCentral:
    with central.whole.engine.begin() as connection:
        hashed = hash_password(PASSWORD, cost=4)
        users.create(connection, "anna@example.com", "DEVOPS", "Anna", hashed)
    return central


def login(
    central: RunningCentral, email: str = "anna@example.com", password: str = PASSWORD
) -> Any:
    with central.client() as client:
        return client.post("/v1/login", json={"email": email, "password": password})


def audit(central: RunningCentral) -> list[tuple[str, str, str | None]]:
    rows = central.rows("SELECT action, status, user_email FROM audit_logs ORDER BY id")
    return [(row["action"], row["status"], row["user_email"]) for row in rows]


def test_a_session_lasts_until_logout(anna: RunningCentral) -> None:
    answer = login(anna, "  Anna@Example.com ")
    assert answer.status_code == 200
    assert answer.json()["role"] == "DEVOPS"
    with anna.client(answer.json()["token"]) as client:
        assert client.get("/v1/whoami").json() == {
            "email": "anna@example.com",
            "full_name": "Anna",
            "role": "DEVOPS",
        }
        assert client.post("/v1/logout").status_code == 204
        assert client.get("/v1/whoami").status_code == 401
    anna_is = "anna@example.com"
    assert audit(anna) == [("LOGIN", "SUCCESS", anna_is), ("LOGOUT", "SUCCESS", anna_is)]


def test_only_a_hash_of_the_token_is_stored(anna: RunningCentral) -> None:
    token = login(anna).json()["token"]
    (row,) = anna.rows("SELECT token_hash, expires_at - created_at AS length FROM user_sessions")
    assert token not in row["token_hash"]
    assert row["length"].total_seconds() == 12 * 3600


def test_an_expired_session_is_none(anna: RunningCentral) -> None:
    token = login(anna).json()["token"]
    anna.execute("UPDATE user_sessions SET expires_at = now()")
    with anna.client(token) as client:
        assert client.get("/v1/whoami").status_code == 401


def test_a_disabled_account_is_out_at_once(anna: RunningCentral) -> None:
    token = login(anna).json()["token"]
    anna.execute("UPDATE users SET is_active = FALSE")
    with anna.client(token) as client:
        assert client.get("/v1/whoami").status_code == 401
    assert login(anna).status_code == 401


def test_all_failures_look_alike(anna: RunningCentral) -> None:
    anna.execute("INSERT INTO users (email, full_name) VALUES ('keycloak@example.com', 'K')")
    answers = [
        login(anna, "nobody@example.com"),
        login(anna, password="wrong"),
        login(anna, "keycloak@example.com"),
        login(anna, password="x" * 500),
    ]
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1
    assert {status for _, status, _ in audit(anna)} == {"FAILURE"}


def test_failures_slow_an_account_down(anna: RunningCentral) -> None:
    answers = [login(anna, password="wrong").status_code for _ in range(5)]
    assert answers == [401] * 5
    refused = login(anna)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    anna.execute("UPDATE login_throttles SET blocked_until = now() - interval '1 second'")
    assert login(anna).status_code == 200
    accounts = "SELECT count(*) AS n FROM login_throttles WHERE subject LIKE 'account:%'"
    assert anna.rows(accounts) == [{"n": 0}]


def test_the_block_doubles_and_has_an_end(anna: RunningCentral) -> None:
    lengths = []
    for failures in (5, 6, 8, 40):
        anna.execute("DELETE FROM login_throttles")
        insert = "INSERT INTO login_throttles (subject, failures) VALUES (:s, :f)"
        anna.execute(insert, s="account:anna@example.com", f=failures - 1)
        login(anna, password="wrong")
        (row,) = anna.rows(
            "SELECT EXTRACT(EPOCH FROM blocked_until - now()::timestamp)::float8 AS s "
            "FROM login_throttles WHERE subject LIKE 'account:%'"
        )
        lengths.append(row["s"])
    for length, wanted in zip(lengths, (1, 2, 8, 900), strict=True):
        assert wanted - 1 < length <= wanted


def test_many_accounts_from_one_address_are_slowed_down_too(anna: RunningCentral) -> None:
    insert = "INSERT INTO login_throttles (subject, failures) VALUES ('address:127.0.0.1', 19)"
    anna.execute(insert)
    assert login(anna, "one@example.com").status_code == 401
    assert login(anna, "two@example.com").status_code == 429


# roles -----------------------------------------------------------------------------------------

READS = [
    "/v1/nodes",
    "/v1/nodes/n1",
    "/v1/nodes/n1/config",
    "/v1/nodes/n1/config/history",
    "/v1/nodes/n1/config/diff",
    "/v1/pools",
    "/v1/lifecycle",
]
CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/nodes", {"json": {"name": "n2", "region": "r1"}}),
    ("PUT", "/v1/nodes/n1/config", {"content": CONFIG.encode() + b"#\n", "headers": YAML}),
    ("POST", "/v1/nodes/n1/config/rollback", {"params": {"generation": 1}}),
]


@pytest.mark.parametrize("path", READS)
def test_reading_needs_a_login_and_no_more(central: RunningCentral, path: str) -> None:
    central.create_node("n1")
    central.push("n1", CONFIG)
    with central.client() as nobody:
        assert nobody.get(path).status_code == 401
    assert central.operator("USER").get(path).status_code == 200


@pytest.mark.parametrize(("method", "path", "options"), CHANGES)
def test_changes_need_devops(
    central: RunningCentral, method: str, path: str, options: dict[str, Any]
) -> None:
    central.create_node("n1")
    central.push("n1", CONFIG)
    refused = central.operator("USER").request(method, path, **options)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert audit(central)[-1] == ("ACCESS_DENIED", "FAILURE", "user@example.com")
    assert central.operator("DEVOPS").request(method, path, **options).is_success


def test_a_demotion_acts_on_the_next_request(central: RunningCentral) -> None:
    operator = central.operator("DEVOPS")
    central.execute("UPDATE users SET role = 'USER'")
    answer = operator.post("/v1/nodes", json={"name": "n2", "region": "r1"})
    assert answer.status_code == 403


def test_a_node_key_opens_nothing_of_the_operators(central: RunningCentral) -> None:
    with central.client(central.create_node("n1")) as agent:
        assert agent.get("/v1/nodes").status_code == 401
