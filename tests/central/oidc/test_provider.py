"""Keys that rotate, an issuer that is down, and logging out on its side."""

import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.browser import Browser
from tests.central_server import RunningCentral
from tests.oidc_provider import FakeProvider

COOKIE = "__Host-poolkeeper"


def login(central: RunningCentral, browser: Browser) -> httpx.Response:
    return browser.get(f"{central.url}/v1/oidc/login", hops=2)


def test_a_rotated_key_is_fetched_once(
    central: RunningCentral, provider: FakeProvider, browser: Browser, ticks: list[float]
) -> None:
    assert login(central, browser).status_code == 303
    provider.rotate()
    ticks[0] += 61
    assert login(central, browser).status_code == 303
    asked = provider.asked("/certs")
    assert login(central, browser).status_code == 303
    assert provider.asked("/certs") == asked


def test_unknown_keys_make_central_ask_once_a_minute_at_most(
    central: RunningCentral, provider: FakeProvider, browser: Browser, ticks: list[float]
) -> None:
    login(central, browser)
    ticks[0] += 61
    published = provider.published
    provider.rotate()
    provider.published = published  # the issuer signs with what it does not publish
    before = provider.asked("/certs")
    for _ in range(5):
        assert login(central, browser).status_code == 403
    assert provider.asked("/certs") == before + 1
    ticks[0] += 61
    login(central, browser)
    assert provider.asked("/certs") == before + 2


def test_known_keys_outlive_an_issuer_that_does_not_publish_them_now(
    central: RunningCentral, provider: FakeProvider, browser: Browser, ticks: list[float]
) -> None:
    login(central, browser)
    provider.hostile.down = {"/certs", "/.well-known/openid-configuration"}
    ticks[0] += 10_000
    assert login(central, browser).status_code == 303


def test_while_the_issuer_is_down_sessions_live_and_nobody_is_told_why(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    provider.hostile.down = {"/token"}
    other = Browser()
    answer = login(central, other)
    assert answer.status_code == 403
    assert "does not answer" in answer.text
    assert browser.get(central.url + "/v1/whoami").status_code == 200


def test_what_is_not_a_signing_key_is_left_out(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    provider.published = [
        {"kty": "oct", "kid": "first", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {**provider.key.as_dict(private=False), "use": "enc", "kid": "enc"},
        *provider.published,
    ]
    assert login(central, browser).status_code == 303


# logging out -------------------------------------------------------------------------------------


def logout_there(central: RunningCentral, token: str) -> httpx.Response:
    with central.client() as keycloak:
        return keycloak.post("/v1/oidc/backchannel-logout", data={"logout_token": token})


def test_a_logout_at_the_issuer_ends_that_session_here(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    assert logout_there(central, provider.logout_token(sid="another")).status_code == 200
    assert browser.get(central.url + "/v1/whoami").status_code == 200
    assert logout_there(central, provider.logout_token()).status_code == 200
    assert browser.get(central.url + "/v1/whoami").status_code == 401


def test_a_logout_of_a_user_ends_all_of_theirs(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    token = provider.logout_token(sid=None, sub="subject-1")
    assert logout_there(central, token).status_code == 200
    assert browser.get(central.url + "/v1/whoami").status_code == 401


NOW = int(time.time())
LOGOUTS: dict[str, dict[str, object]] = {
    "for another client": {"aud": "other"},
    "of another issuer": {"iss": "https://evil.example.com"},
    "no event": {"events": None},
    "another event": {"events": {"x": {}}},
    "an ID token": {"nonce": "n"},
    "of nobody": {"sid": None},
    "old": {"iat": NOW - 3600, "exp": None},
    "expired": {"exp": NOW - 3600},
}


@pytest.mark.parametrize("changes", LOGOUTS.values(), ids=LOGOUTS.keys())
def test_a_wrong_logout_token_ends_nothing(
    central: RunningCentral, provider: FakeProvider, browser: Browser, changes: dict[str, object]
) -> None:
    login(central, browser)
    assert logout_there(central, provider.logout_token(**changes)).status_code == 400
    assert browser.get(central.url + "/v1/whoami").status_code == 200


def test_leaving_keycloak_starts_at_its_own_page(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    answer = browser.get(central.url + "/v1/oidc/logout")
    target = urlsplit(answer.headers["Location"])
    assert answer.headers["Location"].startswith(provider.issuer + "/logout?")
    assert parse_qs(target.query) == {
        "client_id": ["poolkeeper"],
        "post_logout_redirect_uri": [central.url + "/"],
    }


def test_signing_out_on_a_page_shows_the_way_out_of_keycloak_too(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    login(central, browser)
    csrf = browser.get(central.url + "/v1/session").json()["csrf_token"]
    left = browser.post(
        central.url + "/sign-out",
        data={"csrf_token": csrf},
        headers={"Origin": central.url},
        hops=1,
    )
    assert "You are signed out here" in left.text
    assert 'href="/v1/oidc/logout"' in left.text
    assert 'href="/v1/oidc/login?next=%2F"' in left.text
    assert browser.get(central.url + "/v1/whoami").status_code == 401
