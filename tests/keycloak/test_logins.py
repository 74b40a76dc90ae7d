"""Real logins through a real Keycloak: its forms, its tokens, its keys. The order matters:
the last test takes the server away."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from central.passwords import hash_password
from central.store import users
from tests.browser import Browser, form
from tests.central_server import RunningCentral, eventually
from tests.keycloak_server import CLIENT_ID, REALM, USER_PASSWORD, Keycloak

COOKIE = "__Host-poolkeeper"


def sign_in(
    central: RunningCentral, browser: Browser, name: str, password: str = USER_PASSWORD
) -> httpx.Response:
    """From central to Keycloak's form and back; the answer of central's callback."""
    page = browser.get(f"{central.url}/v1/oidc/login?next=/v1/whoami", hops=1)
    assert page.status_code == 200, page.text[:500]
    action, hidden = form(page)
    answer = browser.post(action, data={**hidden, "username": name, "password": password})
    if answer.is_redirect and "/v1/oidc/callback" in answer.headers["Location"]:
        return browser.get(answer.headers["Location"])
    return answer


def whoami(central: RunningCentral, browser: Browser) -> httpx.Response:
    return browser.get(central.url + "/v1/whoami")


def reason(central: RunningCentral) -> str:
    (row,) = central.rows("SELECT error_message FROM audit_logs ORDER BY id DESC LIMIT 1")
    return str(row["error_message"])


@pytest.mark.parametrize(
    ("name", "role"), [("olga", "DEVOPS"), ("vera", "USER"), ("boris", "ADMIN")]
)
def test_realm_roles_and_client_roles_count(
    central: RunningCentral, browser: Browser, keycloak: Keycloak, name: str, role: str
) -> None:
    answer = sign_in(central, browser, name)
    assert answer.status_code == 303, reason(central)
    assert whoami(central, browser).json() == {
        "email": f"{name}@example.com",
        "full_name": f"{name.title()} Example",
        "role": role,
    }
    (row,) = central.rows(
        "SELECT keycloak_user_id FROM users WHERE full_name LIKE :n", n=name.title() + "%"
    )
    assert row["keycloak_user_id"] == keycloak.user_id(name)


def test_whoever_has_none_of_our_roles_stays_out(central: RunningCentral, browser: Browser) -> None:
    assert sign_in(central, browser, "nora").status_code == 403
    assert "is mapped" in reason(central)


def test_an_unverified_address_stays_out(central: RunningCentral, browser: Browser) -> None:
    assert sign_in(central, browser, "ivo").status_code == 403
    assert "not verified" in reason(central)


def test_a_user_who_is_disabled_in_keycloak_does_not_come_back(
    central: RunningCentral, browser: Browser
) -> None:
    answer = sign_in(central, browser, "disa")
    assert answer.status_code in (200, 400)
    assert "disabled" in answer.text
    assert whoami(central, browser).status_code == 401


def test_a_wrong_password_stays_at_keycloak(central: RunningCentral, browser: Browser) -> None:
    assert sign_in(central, browser, "olga", "wrong").status_code == 200
    assert whoami(central, browser).status_code == 401


def test_a_new_role_in_keycloak_acts_at_the_next_login(
    central: RunningCentral, browser: Browser, keycloak: Keycloak
) -> None:
    keycloak.set_realm_roles("olga", "pool-boss")
    sign_in(central, browser, "olga")
    assert whoami(central, browser).json()["role"] == "ADMIN"
    keycloak.set_realm_roles("olga", "pool-ops")


def test_an_override_stays(central: RunningCentral, browser: Browser, keycloak: Keycloak) -> None:
    sign_in(central, browser, "boris")
    change: dict[str, Any] = {"role": "USER", "role_override": True}
    operator = central.operator("ADMIN")
    assert operator.patch("/v1/users/boris@example.com", json=change).status_code == 200
    assert whoami(central, browser).status_code == 401, "a new role ends the sessions"
    again = Browser()
    sign_in(central, again, "boris")
    assert whoami(central, again).json()["role"] == "USER"
    assert keycloak.user_id("boris")


def test_a_local_account_is_linked_by_an_admin(
    central: RunningCentral, browser: Browser, keycloak: Keycloak
) -> None:
    keycloak.set_realm_roles("nora", "pool-ops")
    with central.whole.engine.begin() as connection:
        users.create(connection, "nora@example.com", "USER", "Nora", hash_password("x", cost=4))
    assert sign_in(central, browser, "nora").status_code == 403
    assert "poolkeeper user link" in reason(central)
    subject = keycloak.user_id("nora")
    linked = central.operator().post("/v1/users/nora@example.com/link", json={"subject": subject})
    assert linked.status_code == 200
    other = Browser()
    assert sign_in(central, other, "nora").status_code == 303
    assert whoami(central, other).json()["role"] == "DEVOPS"


def test_without_the_audience_mapper_the_refusal_names_it(
    central: RunningCentral, browser: Browser, keycloak: Keycloak
) -> None:
    base = f"/admin/realms/{REALM}/clients/{keycloak.client_uuid()}/protocol-mappers/models"
    (mapper,) = [m for m in keycloak.admin("GET", base) if m["name"] == "audience"]
    keycloak.admin("DELETE", f"{base}/{mapper['id']}")
    assert sign_in(central, browser, "olga").status_code == 403
    assert f"Audience mapper for the client '{CLIENT_ID}'" in reason(central)
    keycloak.admin("POST", base, {k: v for k, v in mapper.items() if k != "id"})


def test_rotated_keys_are_followed(
    central: RunningCentral, browser: Browser, keycloak: Keycloak, ticks: list[float]
) -> None:
    keycloak.rotate_keys()
    ticks[0] += 61
    assert sign_in(central, browser, "olga").status_code == 303, reason(central)


def test_a_logout_at_keycloak_ends_the_session_here(
    central: RunningCentral, browser: Browser, keycloak: Keycloak
) -> None:
    sign_in(central, browser, "vera")
    assert whoami(central, browser).status_code == 200
    keycloak.admin("POST", f"/admin/realms/{REALM}/users/{keycloak.user_id('vera')}/logout")
    told = "SELECT status, error_message FROM audit_logs WHERE action = 'KEYCLOAK_LOGOUT'"
    rows = eventually(lambda: central.rows(told), within=60)
    assert {row["status"] for row in rows} == {"SUCCESS"}, rows
    eventually(lambda: whoami(central, browser).status_code == 401, within=60)


def test_a_browser_can_leave_keycloak_too(central: RunningCentral, browser: Browser) -> None:
    sign_in(central, browser, "vera")
    page = browser.get(central.url + "/v1/oidc/logout", hops=1)
    action, hidden = form(page)
    back = browser.post(action, data={**hidden, "confirmLogout": "Logout"})
    assert back.headers["Location"] == central.url + "/"
    fresh = browser.get(f"{central.url}/v1/oidc/login", hops=1)
    assert "password" in fresh.text, "Keycloak must ask anew"


def test_while_keycloak_is_down_sessions_live_and_local_admins_log_in(
    central: RunningCentral, browser: Browser, keycloak: Keycloak, ticks: list[float]
) -> None:
    assert sign_in(central, browser, "olga").status_code == 303
    with central.whole.engine.begin() as connection:
        hashed = hash_password("break the glass 1", cost=4)
        users.create(connection, "glass@example.com", "ADMIN", "Glass", hashed)
    keycloak.stop()
    ticks[0] += 7200
    assert whoami(central, browser).status_code == 200
    assert browser.cookies[urlsplit(central.url).netloc][COOKIE]
    other = Browser()
    start = other.get(f"{central.url}/v1/oidc/login")
    assert start.is_redirect, "the addresses are remembered; the browser finds out by itself"
    with central.client() as client:
        body = {"email": "glass@example.com", "password": "break the glass 1"}
        assert client.post("/v1/login", json=body).status_code == 200
