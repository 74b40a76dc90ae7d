"""Who gets which account and role after Keycloak has vouched for somebody."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from central.passwords import hash_password
from central.store import users
from tests.browser import Browser
from tests.central_server import RunningCentral
from tests.oidc_provider import FakeProvider
from tests.pages import reading, shown

Claims = dict[str, Any]
COOKIE = "__Host-poolkeeper"


def login(central: RunningCentral, browser: Browser) -> httpx.Response:
    return browser.get(f"{central.url}/v1/oidc/login", hops=2)


def role(central: RunningCentral, email: str = "kim@example.com") -> str:
    (row,) = central.rows("SELECT role FROM users WHERE email = :e", e=email)
    return str(row["role"])


def reason(central: RunningCentral) -> str:
    (row,) = central.rows("SELECT error_message FROM audit_logs ORDER BY id DESC LIMIT 1")
    return str(row["error_message"])


ROLES: dict[str, tuple[Claims, str | None]] = {
    "a realm role": ({"realm_access": {"roles": ["ops", "offline_access"]}}, "DEVOPS"),
    "a client role": ({"resource_access": {"poolkeeper": {"roles": ["viewer"]}}}, "USER"),
    "the highest of several": (
        {
            "realm_access": {"roles": ["ops", "boss"]},
            "resource_access": {"poolkeeper": {"roles": ["viewer"]}},
        },
        "ADMIN",
    ),
    "the same name at another client": ({"resource_access": {"x": {"roles": ["viewer"]}}}, None),
    "a client role's name in the realm": ({"realm_access": {"roles": ["viewer"]}}, None),
    "none of ours": ({"realm_access": {"roles": ["uma_authorization"]}}, None),
    "other case": ({"realm_access": {"roles": ["Ops"]}}, None),
    "a text instead of a list": ({"realm_access": {"roles": "ops"}}, None),
    "a list in a list": ({"realm_access": {"roles": [["ops"]]}}, None),
    "a list instead of an object": ({"realm_access": ["ops"]}, None),
    "nothing at all": ({"realm_access": None}, None),
}


@pytest.mark.parametrize(("claims", "expected"), ROLES.values(), ids=ROLES.keys())
@pytest.mark.parametrize("where", ["access token", "ID token"])
def test_roles_of_keycloak_become_ours(
    central: RunningCentral,
    provider: FakeProvider,
    browser: Browser,
    claims: Claims,
    expected: str | None,
    where: str,
) -> None:
    provider.roles = claims if where == "access token" else {}
    if where == "ID token":
        provider.hostile.id_claims = lambda sent: {**sent, **claims}
    answer = login(central, browser)
    if expected is None:
        assert answer.status_code == 403
        assert "is mapped" in reason(central)
        assert central.rows("SELECT 1 FROM users") == []
    else:
        assert answer.status_code == 303
        assert role(central) == expected


def test_keycloak_decides_about_the_role_at_every_login(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    old = browser.cookies[urlsplit(central.url).netloc][COOKIE]
    provider.roles = {"realm_access": {"roles": ["boss"]}}
    login(central, browser)
    assert role(central) == "ADMIN"
    (live,) = central.rows("SELECT count(*) AS n FROM user_sessions WHERE revoked_at IS NULL")
    assert live["n"] == 1, "the session with the old role must have ended"
    browser.cookies[urlsplit(central.url).netloc][COOKIE] = old
    assert browser.get(central.url + "/v1/whoami").status_code == 401


def test_an_override_outlives_every_later_login(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    admin = central.operator("ADMIN")
    change = {"role": "USER", "role_override": True, "override_reason": "on leave"}
    assert admin.patch("/v1/users/kim@example.com", json=change).status_code == 200
    for roles in (["ops"], ["boss"], []):
        provider.roles = {"realm_access": {"roles": roles}}
        assert login(central, browser).status_code == 303, roles
        assert role(central) == "USER"
    provider.roles = {"realm_access": {"roles": ["boss"]}}
    cleared = admin.patch("/v1/users/kim@example.com", json={"role_override": False})
    assert cleared.json()["role_owner"] == "keycloak"
    login(central, browser)
    assert role(central) == "ADMIN"


def test_losing_every_role_ends_the_sessions_too(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    provider.roles = {"realm_access": {"roles": []}}
    other = Browser()
    assert login(central, other).status_code == 403
    assert browser.get(central.url + "/v1/whoami").status_code == 401


def link_by_api(central: RunningCentral) -> None:
    linked = central.operator("ADMIN").post(
        "/v1/users/kim@example.com/link", json={"subject": "subject-1"}
    )
    assert linked.status_code == 200
    assert (linked.json()["auth_provider"], linked.json()["has_password"]) == ("keycloak", False)


def link_by_page(central: RunningCentral) -> None:
    with reading(central, "ADMIN") as admin:
        assert "Subject in Keycloak" in shown(admin.open("/users/kim@example.com"))
        empty = admin.send("/users/kim@example.com/link", subject=" ")
        assert (empty.status_code, "subject: fill it in" in shown(empty)) == (422, True)
        text = admin.done("/users/kim@example.com/link", subject="subject-1")
    assert "signs in through Keycloak from now on" in text
    assert "New password" not in text


@pytest.mark.parametrize("link", [link_by_api, link_by_page])
def test_an_address_that_a_local_account_has_is_refused_until_linked(
    central: RunningCentral,
    provider: FakeProvider,
    browser: Browser,
    link: Callable[[RunningCentral], None],
) -> None:
    with central.whole.engine.begin() as connection:
        hashed = hash_password("correct horse battery", cost=4)
        users.create(connection, "kim@example.com", "USER", "Kim", hashed)
    answer = login(central, browser)
    assert answer.status_code == 403
    assert "kim@example.com" not in answer.text, "the page must not tell which accounts exist"
    assert "poolkeeper user link kim@example.com subject-1" in reason(central)
    link(central)
    assert login(central, browser).status_code == 303
    assert role(central) == "DEVOPS"


def test_identity_is_the_subject_and_never_the_address(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    provider.user = {**provider.user, "email": "kim.new@example.com", "name": "Kim New"}
    assert login(central, browser).status_code == 303
    (row,) = central.rows("SELECT email, full_name FROM users")
    assert row == {"email": "kim.new@example.com", "full_name": "Kim New"}
    provider.user = {**provider.user, "sub": "subject-2"}  # somebody else, same address
    assert login(central, browser).status_code == 403
    assert len(central.rows("SELECT 1 FROM users")) == 1


@pytest.mark.parametrize("email", [None, "", "no address", 7])
def test_a_missing_address_is_refused_naming_the_mapper(
    central: RunningCentral, provider: FakeProvider, browser: Browser, email: object
) -> None:
    provider.user = {**provider.user, "email": email}
    answer = login(central, browser)
    assert answer.status_code == 403
    assert "mapper `email`" in reason(central)
    assert "mapper `email`" in answer.text.replace("&#x27;", "'")


def test_an_unverified_address_makes_no_account(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    provider.user = {**provider.user, "email_verified": False}
    assert login(central, browser).status_code == 403
    assert "not verified" in reason(central)


def test_a_deactivated_account_stays_out(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    del provider
    login(central, browser)
    off = central.operator("ADMIN").patch("/v1/users/kim@example.com", json={"is_active": False})
    assert off.status_code == 200
    assert browser.get(central.url + "/v1/whoami").status_code == 401
    assert login(central, browser).status_code == 403
    assert "deactivated" in reason(central)


def test_a_new_address_that_belongs_to_somebody_else_is_refused(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    with central.whole.engine.begin() as connection:
        users.create(connection, "pat@example.com", "USER", "Pat", "x")
    provider.user = {**provider.user, "email": "pat@example.com"}
    assert login(central, browser).status_code == 403
    assert "another" in reason(central)
