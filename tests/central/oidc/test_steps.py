"""The steps of a login through OpenID Connect, each broken by a hostile provider or client."""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from tests.browser import Browser
from tests.central_server import RunningCentral
from tests.oidc_provider import (
    CLIENT_ID,
    FakeProvider,
    sign,
    signed_otherwise,
    signed_with_public_key,
    unsigned,
)

Claims = dict[str, Any]
COOKIE = "__Host-poolkeeper"
LOGIN_COOKIE = "__Host-poolkeeper-login"


def login(central: RunningCentral, browser: Browser, path: str = "/v1/whoami") -> httpx.Response:
    """Up to and with the answer of the callback."""
    return browser.get(f"{central.url}/v1/oidc/login?next={path}", hops=2)


def session(central: RunningCentral, browser: Browser) -> str | None:
    return browser.cookies.get(urlsplit(central.url).netloc, {}).get(COOKIE)


def last_reason(central: RunningCentral) -> str:
    (row,) = central.rows(
        "SELECT action, status, error_message FROM audit_logs ORDER BY id DESC LIMIT 1"
    )
    assert (row["action"], row["status"]) == ("LOGIN", "FAILURE")
    return str(row["error_message"])


def assert_refused(
    central: RunningCentral, browser: Browser, answer: httpx.Response, reason: str
) -> None:
    assert answer.status_code == 403, answer.text
    assert session(central, browser) is None
    assert central.rows("SELECT 1 FROM user_sessions") == []
    exactly = last_reason(central)
    assert reason in exactly
    assert exactly not in answer.text  # the page is generic, the audit is exact


def test_an_honest_login_ends_in_a_session(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    answer = login(central, browser)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/v1/whoami")
    assert session(central, browser)
    who = browser.get(central.url + "/v1/whoami").json()
    assert who == {"email": "kim@example.com", "full_name": "Kim", "role": "DEVOPS"}
    (user,) = central.rows("SELECT * FROM users")
    assert (user["keycloak_issuer"], user["keycloak_user_id"]) == (provider.issuer, "subject-1")
    assert (user["auth_provider"], user["hashed_password"]) == ("keycloak", None)
    actions = central.rows("SELECT action FROM audit_logs ORDER BY id DESC LIMIT 2")
    assert [row["action"] for row in actions] == ["LOGIN", "USER_CREATED"]


def test_the_request_is_a_code_flow_with_pkce_state_and_nonce(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    answer = browser.get(f"{central.url}/v1/oidc/login")
    target = urlsplit(answer.headers["Location"])
    query = {name: value[0] for name, value in parse_qs(target.query).items()}
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{provider.issuer}/auth"
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == f"{central.url}/v1/oidc/callback"
    assert query["scope"].split()[0] == "openid"
    assert len(query["state"]) > 40
    assert len(query["nonce"]) == 64
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("secure", "httponly", "samesite=lax", "path=/"))
    (row,) = central.rows("SELECT * FROM oidc_logins")
    kept = " ".join(str(value) for value in row.values())
    for secret in (query["state"], query["nonce"], browser.cookies.popitem()[1][LOGIN_COOKIE]):
        assert secret not in kept


# what the ID token may say wrong -----------------------------------------------------------------

NOW = int(time.time())
ID_TOKENS: dict[str, tuple[Claims, str]] = {
    "7: another issuer": ({"iss": "http://127.0.0.1:1/realms/test"}, "iss"),
    "7: the issuer with a slash too many": ({"iss": "ISSUER/"}, "iss"),
    "7: no issuer": ({"iss": None}, "iss"),
    "8: for another client": ({"aud": "other"}, "aud"),
    "8: for nobody": ({"aud": None}, "aud"),
    "8: for two, made for the other": ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "azp"),
    "8: for two, made for nobody": ({"aud": [CLIENT_ID, "other"], "azp": None}, "azp"),
    "8: for us, made for another": ({"azp": "other"}, "azp"),
    "9: expired": ({"exp": NOW - 61}, "expired"),
    "9: without an end": ({"exp": None}, "exp"),
    "9: ends with a word": ({"exp": "never"}, "exp"),
    "9: from the future": ({"iat": NOW + 3600}, "issued in the future"),
    "9: not yet valid": ({"nbf": NOW + 3600}, "not yet valid"),
    "3: another nonce": ({"nonce": "replayed"}, "nonce"),
    "3: no nonce": ({"nonce": None}, "nonce"),
    "12: no subject": ({"sub": None}, "sub"),
    "12: a subject that is a number": ({"sub": 7}, "sub"),
    "6: bound to another access token": ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
}


@pytest.mark.parametrize(("changes", "reason"), ID_TOKENS.values(), ids=ID_TOKENS.keys())
def test_a_wrong_id_token_is_refused(
    central: RunningCentral,
    provider: FakeProvider,
    browser: Browser,
    changes: Claims,
    reason: str,
) -> None:
    def _worsen(claims: Claims) -> Claims:
        wrong = {
            name: value.replace("ISSUER", provider.issuer) if isinstance(value, str) else value
            for name, value in changes.items()
        }
        return {k: v for k, v in {**claims, **wrong}.items() if v is not None}

    provider.hostile.id_claims = _worsen
    assert_refused(central, browser, login(central, browser), reason)


@pytest.mark.parametrize("seconds", [-59, 0])
def test_clocks_may_differ_by_a_minute(
    central: RunningCentral, provider: FakeProvider, browser: Browser, seconds: int
) -> None:
    soon = int(time.time()) + seconds + 5
    provider.hostile.id_claims = lambda claims: {**claims, "exp": soon}
    assert login(central, browser).status_code == 303


# how it may be signed wrong ----------------------------------------------------------------------

Signer = Callable[[FakeProvider], Callable[[Claims], str]]
SIGNATURES: dict[str, tuple[Signer, str]] = {
    "6: not at all": (lambda _p: unsigned, "algorithm 'none'"),
    "6: HS256 with the public key": (
        lambda p: lambda claims: signed_with_public_key(p.key, claims),
        "algorithm 'HS256'",
    ),
    "6: PS256, which is not on the list": (
        lambda p: lambda claims: signed_otherwise(p.key, claims, "PS256"),
        "algorithm 'PS256'",
    ),
    "6: by somebody else under the known id": (
        lambda _p: lambda claims: sign(RSAKey.generate_key(2048, {"kid": "first"}), claims),
        "signature",
    ),
    "6: ES256 under the id of an RSA key": (
        lambda _p: (
            lambda claims: sign(ECKey.generate_key("P-256", {"kid": "first"}), claims, "ES256")
        ),
        "signature",
    ),
    "11: with an unknown key": (
        lambda _p: lambda claims: sign(RSAKey.generate_key(2048, {"kid": "who"}), claims),
        "key 'who' that is not known",
    ),
    "6: a text that is no token": (lambda _p: lambda _claims: "a.b", "no signed token"),
    "6: a header that is no JSON": (lambda _p: lambda _claims: "!!!.e30.", "header"),
}


@pytest.mark.parametrize(("signer", "reason"), SIGNATURES.values(), ids=SIGNATURES.keys())
def test_a_wrong_signature_is_refused(
    central: RunningCentral,
    provider: FakeProvider,
    browser: Browser,
    signer: Signer,
    reason: str,
) -> None:
    provider.hostile.sign = signer(provider)
    assert_refused(central, browser, login(central, browser), reason)


# what the issuer may publish wrong ---------------------------------------------------------------

METADATA: dict[str, tuple[Claims, str]] = {
    "1: it is somebody else": ({"issuer": "https://evil.example.com"}, "calls itself"),
    "1: a slash too many": ({"issuer": "ISSUER/"}, "calls itself"),
    "5: a token endpoint without TLS": (
        {"token_endpoint": "http://evil.example.com/token"},
        "token_endpoint is missing or not https",
    ),
    "5: keys without TLS": ({"jwks_uri": "http://evil.example.com"}, "jwks_uri"),
    "1: no login page": ({"authorization_endpoint": None}, "authorization_endpoint"),
}


@pytest.mark.parametrize(("changes", "reason"), METADATA.values(), ids=METADATA.keys())
def test_wrong_metadata_is_refused(
    central: RunningCentral,
    provider: FakeProvider,
    browser: Browser,
    changes: Claims,
    reason: str,
) -> None:
    def _worsen(found: Claims) -> Claims:
        wrong = dict(changes)
        if wrong.get("issuer") == "ISSUER/":
            wrong["issuer"] = provider.issuer + "/"
        return {**found, **wrong}

    provider.hostile.metadata = _worsen
    assert_refused(central, browser, login(central, browser), reason)


# how the way back may be wrong -------------------------------------------------------------------


def drop(*names: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda query: {name: value for name, value in query.items() if name not in names}


CALLBACKS: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], str]] = {
    "2: no state": (drop("state"), "state is unknown"),
    "2: another state": (lambda query: {**query, "state": "made-up"}, "state is unknown"),
    "10: no issuer": (drop("iss"), "another issuer"),
    "10: another issuer": (lambda query: {**query, "iss": "https://evil"}, "another issuer"),
    "no code": (drop("code"), "no code"),
    "an invented code": (lambda query: {**query, "code": "guess"}, "code was refused"),
    "an error": (lambda q: {**drop("code")(q), "error": "access_denied"}, "access_denied"),
}


@pytest.mark.parametrize(("change", "reason"), CALLBACKS.values(), ids=CALLBACKS.keys())
def test_a_wrong_way_back_is_refused(
    central: RunningCentral,
    provider: FakeProvider,
    browser: Browser,
    change: Callable[[dict[str, str]], dict[str, str]],
    reason: str,
) -> None:
    provider.hostile.callback = change
    assert_refused(central, browser, login(central, browser), reason)


def test_a_state_can_be_used_once(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    started = browser.get(f"{central.url}/v1/oidc/login", hops=1)
    callback = started.headers["Location"]
    kept = dict(browser.cookies[urlsplit(central.url).netloc])
    assert browser.get(callback).status_code == 303
    browser.cookies[urlsplit(central.url).netloc] = kept  # as a thief would have it
    assert browser.get(callback).status_code == 403
    assert "used" in last_reason(central)
    assert provider.asked("/token") == 1


def test_a_login_takes_ten_minutes_at_most(central: RunningCentral, browser: Browser) -> None:
    started = browser.get(f"{central.url}/v1/oidc/login", hops=1)
    central.execute("UPDATE oidc_logins SET expires_at = now()")
    assert_refused(central, browser, browser.get(started.headers["Location"]), "too old")


def test_another_browser_cannot_finish_a_login(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    """An attacker's callback in a victim's browser would log the victim in as the attacker."""
    started = browser.get(f"{central.url}/v1/oidc/login", hops=1)
    victim = Browser()
    answer = victim.get(started.headers["Location"])
    assert_refused(central, browser, answer, "another browser")
    assert provider.asked("/token") == 0


def test_a_code_stolen_from_one_login_is_worth_nothing_in_another(
    central: RunningCentral, browser: Browser
) -> None:
    thief = Browser()
    stolen = parse_qs(
        urlsplit(browser.get(f"{central.url}/v1/oidc/login", hops=1).headers["Location"]).query
    )["code"][0]
    own = thief.get(f"{central.url}/v1/oidc/login", hops=1).headers["Location"]
    answer = thief.get(re.sub("code=[^&]+", f"code={stolen}", own))
    assert_refused(central, thief, answer, "code was refused")


TARGETS = {
    "/v1/nodes": "/v1/nodes",
    "https://evil.example.com/": "/",
    "//evil.example.com": "/",
    "/\\evil.example.com": "/",
    "/%5C%5Cevil.example.com": "/",
    "/a%0d%0aSet-Cookie:x=y": "/",
    "javascript:alert(1)": "/",
    "": "/",
}


@pytest.mark.parametrize(("wanted", "reached"), TARGETS.items())
def test_after_a_login_one_stays_on_this_site(
    central: RunningCentral, browser: Browser, wanted: str, reached: str
) -> None:
    assert login(central, browser, wanted).headers["Location"] == reached


# the access token, when the ID token says nothing about roles ------------------------------------

ACCESS_TOKENS: dict[str, tuple[Claims, str]] = {
    "for another service": ({"aud": "account"}, "Audience mapper"),
    "for nobody": ({"aud": None}, "Audience mapper"),
    "made for another client": ({"azp": "other"}, "azp"),
    "of another user": ({"sub": "subject-2"}, "sub"),
    "of another issuer": ({"iss": "https://evil.example.com"}, "iss"),
    "expired": ({"exp": NOW - 61}, "expired"),
}


@pytest.mark.parametrize(("changes", "reason"), ACCESS_TOKENS.values(), ids=ACCESS_TOKENS.keys())
def test_a_wrong_access_token_gives_no_roles(
    central: RunningCentral,
    provider: FakeProvider,
    browser: Browser,
    changes: Claims,
    reason: str,
) -> None:
    provider.hostile.access_claims = lambda claims: {
        k: v for k, v in {**claims, **changes}.items() if v is not None
    }
    assert_refused(central, browser, login(central, browser), reason)


def test_an_answer_without_an_id_token_is_refused(
    central: RunningCentral, provider: FakeProvider, browser: Browser
) -> None:
    provider.hostile.token_answer = lambda answer: {**answer, "id_token": None}
    assert_refused(central, browser, login(central, browser), "no ID token")


def test_no_token_is_stored(central: RunningCentral, browser: Browser) -> None:
    login(central, browser)
    for table in ("users", "user_sessions", "audit_logs", "oidc_logins", "login_codes"):
        for row in central.rows(f"SELECT * FROM {table}"):
            assert not any("eyJ" in str(value) for value in row.values())
