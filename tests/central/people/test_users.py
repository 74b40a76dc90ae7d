"""Accounts changed by ADMINs, and the last of them who can log in."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from central.passwords import hash_password
from central.store import sessions, users
from central.tokens import new_session_token
from tests.central_server import RunningCentral

PASSWORD = "correct horse battery"


def account(
    central: RunningCentral, email: str, role: users.Role = "ADMIN"
) -> tuple[httpx.Client, str]:
    """A client that is logged in to a fresh local account."""
    secret = new_session_token()
    with central.whole.engine.begin() as connection:
        hashed = hash_password(PASSWORD, cost=4)
        user_id = users.create(connection, email, role, email.partition("@")[0], hashed)
        sessions.start(connection, user_id, sessions.Opening(secret.digest))
    return central.client(secret.text), email


def test_two_admins_who_demote_each_other_at_once_leave_exactly_one(
    central: RunningCentral, replica: RunningCentral
) -> None:
    for round_number in range(8):
        central.execute("DELETE FROM users")
        (ann, ann_is), (bob, bob_is) = account(central, "a@x.y"), account(central, "b@x.y")
        with ann, bob, replica.client() as elsewhere:
            elsewhere.headers["Authorization"] = bob.headers["Authorization"]
            start = threading.Barrier(2)

            def _demote(client: httpx.Client, email: str, start: threading.Barrier = start) -> int:
                start.wait(10)
                return client.patch(f"/v1/users/{email}", json={"role": "USER"}).status_code

            with ThreadPoolExecutor(2) as pool:
                first = pool.submit(_demote, ann, bob_is)
                second = pool.submit(_demote, elsewhere, ann_is)
                answers = sorted([first.result(), second.result()])
        assert answers[0] == 200, round_number
        assert answers[1] in (401, 403, 409), round_number
        assert central.rows("SELECT count(*) AS n FROM users WHERE role = 'ADMIN'")[0]["n"] == 1


WAYS: dict[str, tuple[str, str, Any]] = {
    "demote": ("PATCH", "", {"role": "DEVOPS"}),
    "deactivate": ("PATCH", "", {"is_active": False}),
    "delete": ("DELETE", "", None),
}


@pytest.mark.parametrize(("method", "tail", "body"), WAYS.values(), ids=WAYS.keys())
def test_the_last_admin_with_a_password_stays(
    central: RunningCentral, method: str, tail: str, body: Any
) -> None:
    last, last_is = account(central, "last@x.y")
    central.execute(
        "INSERT INTO users (email, full_name, role, auth_provider, keycloak_user_id) "
        "VALUES ('kc@x.y', 'K', 'ADMIN', 'keycloak', 's')"
    )
    secret = new_session_token()
    with central.whole.engine.begin() as connection:
        other = users.require(connection, "kc@x.y")
        sessions.start(connection, other.id, sessions.Opening(secret.digest))
    with last, central.client(secret.text) as keycloak_admin:
        answer = keycloak_admin.request(method, f"/v1/users/{last_is}{tail}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
        assert last.get("/v1/users").status_code == 200, "nothing of it may have happened"
    (row,) = central.rows("SELECT * FROM audit_logs ORDER BY id DESC LIMIT 1")
    assert (row["status"], row["user_email"]) == ("FAILURE", "kc@x.y")


@pytest.mark.parametrize(
    "body", [{"role": "USER"}, {"role_override": True}, {"is_active": False}], ids=str
)
def test_nobody_changes_their_own_standing(central: RunningCentral, body: dict[str, Any]) -> None:
    account(central, "other@x.y")[0].close()
    client, email = account(central, "self@x.y")
    with client:
        assert client.patch(f"/v1/users/{email}", json=body).status_code == 403
        assert client.delete(f"/v1/users/{email}").status_code == 403
        renamed = client.patch(f"/v1/users/{email}", json={"full_name": "Self Made"})
        assert renamed.json()["full_name"] == "Self Made"


def test_a_change_is_audited_with_before_and_after(central: RunningCentral) -> None:
    admin, _ = account(central, "admin@x.y")
    user, email = account(central, "u@x.y", "USER")
    with admin, user:
        change = {"role": "DEVOPS", "full_name": "New", "role_override": True}
        assert admin.patch(f"/v1/users/{email}", json=change).status_code == 200
        (row,) = admin.get("/v1/audit", params={"action": "USER_CHANGED", "limit": 1}).json()
    assert row["details"] == {
        "before": {"role": "USER", "full_name": "u", "role_override": False},
        "after": change,
        "sessions_ended": 1,
    }


def test_a_password_change_ends_every_session_and_needs_the_old_one(
    central: RunningCentral,
) -> None:
    client, email = account(central, "u@x.y", "USER")
    with client:
        wrong = {"current": "not the one", "new": "another password"}
        assert client.post("/v1/password", json=wrong).status_code == 401
        weak = {"current": PASSWORD, "new": "short"}
        assert client.post("/v1/password", json=weak).status_code == 422
        right = {"current": PASSWORD, "new": "another password"}
        assert client.post("/v1/password", json=right).status_code == 204
        assert client.get("/v1/whoami").status_code == 401
    with central.client() as fresh:
        body = {"email": email, "password": "another password"}
        assert fresh.post("/v1/login", json=body).status_code == 200


def test_a_reset_by_an_admin_ends_every_session_and_keeps_the_secret(
    central: RunningCentral,
) -> None:
    admin, _ = account(central, "admin@x.y")
    user, email = account(central, "u@x.y", "USER")
    with admin, user:
        new = "a fresh start 99"
        assert admin.post(f"/v1/users/{email}/password", json={"new": new}).status_code == 204
        assert user.get("/v1/whoami").status_code == 401
        (row,) = admin.get("/v1/audit", params={"action": "PASSWORD_RESET"}).json()[:1]
    assert row["details"]["after"] == {"hashed_password": "set"}
    with central.client() as fresh:
        assert fresh.post("/v1/login", json={"email": email, "password": new}).is_success


def test_a_keycloak_account_gets_no_password(central: RunningCentral) -> None:
    central.execute(
        "INSERT INTO users (email, full_name, auth_provider) VALUES ('k@x.y', 'K', 'keycloak')"
    )
    answer = central.operator().post("/v1/users/k@x.y/password", json={"new": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (409, "keycloak")


def test_linking_needs_a_keycloak(central: RunningCentral) -> None:
    account(central, "u@x.y")[0].close()
    answer = central.operator().post("/v1/users/u@x.y/link", json={"subject": "s"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_keycloak")


REFUSED: dict[str, tuple[dict[str, Any], int]] = {
    "a taken address, in capitals": ({"email": "TAKEN@x.y"}, 409),
    "no address": ({"email": "nobody"}, 422),
    "a short password": ({"password": "short"}, 422),
    "a password on every list": ({"password": "Password1234"}, 422),
    "73 bytes": ({"password": "ü" * 36 + "x"}, 422),
    "an unknown role": ({"role": "ROOT"}, 422),
}


@pytest.mark.parametrize(("change", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_new_accounts_that_are_refused(
    central: RunningCentral, change: dict[str, Any], status: int
) -> None:
    account(central, "taken@x.y")[0].close()
    body = {"email": "new@x.y", "full_name": "New", "password": PASSWORD, **change}
    answer = central.operator().post("/v1/users", json=body)
    assert answer.status_code == status, answer.text
    assert str(body["password"]) not in answer.text


def test_accounts_are_listed_without_their_passwords(central: RunningCentral) -> None:
    account(central, "u@x.y", "USER")[0].close()
    answer = central.operator().get("/v1/users")
    assert [user["email"] for user in answer.json()] == ["admin@example.com", "u@x.y"]
    assert "$2b$" not in answer.text
    assert "no password" not in answer.text
