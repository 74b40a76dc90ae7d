"""Sessions of browsers and of command lines: what opens which door, and when they end."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from central.credentials import csrf_token, path_only
from central.passwords import hash_password
from central.store import users
from tests.browser import Browser
from tests.central_server import RunningCentral

COOKIE = "__Host-poolkeeper"
PASSWORD = "correct horse battery"


@pytest.fixture
def anna(central: RunningCentral) -> RunningCentral:
    with central.whole.engine.begin() as connection:
        hashed = hash_password(PASSWORD, cost=4)
        users.create(connection, "anna@example.com", "DEVOPS", "Anna", hashed)
    return central


class Page:
    """A page of ours in a browser that is logged in."""

    def __init__(self, central: RunningCentral) -> None:
        self.central = central
        self.browser = Browser()
        self.answer = self.browser.post(
            central.url + "/v1/session",
            json={"email": "anna@example.com", "password": PASSWORD},
            headers={"Origin": central.url},
        )
        assert self.answer.status_code == 200, self.answer.text
        self.csrf = self.answer.json()["csrf_token"]
        self.secret = self.browser.cookies[urlsplit(central.url).netloc][COOKIE]

    def make_node(self, **headers: str) -> httpx.Response:
        url = self.central.url + "/v1/nodes"
        return self.browser.post(url, json={"name": "n1", "region": "r1"}, headers=headers)


def test_the_cookie_is_for_this_host_over_tls_and_not_for_scripts(anna: RunningCentral) -> None:
    line = Page(anna).answer.headers["set-cookie"]
    assert line.startswith(COOKIE + "=")
    parts = {part.strip().lower() for part in line.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)


def test_a_page_gets_its_csrf_token_back_after_a_reload(anna: RunningCentral) -> None:
    page = Page(anna)
    assert page.browser.get(anna.url + "/v1/session").json()["csrf_token"] == page.csrf


FORGERIES: dict[str, tuple[dict[str, str], int]] = {
    "our page": ({"Origin": "OURS", "X-CSRF-Token": "TOKEN"}, 201),
    "our page in a browser that sends no Origin": (
        {"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": "TOKEN"},
        201,
    ),
    "without a token": ({"Origin": "OURS"}, 403),
    "with another token": ({"Origin": "OURS", "X-CSRF-Token": "0" * 64}, 403),
    "from another site": ({"Origin": "https://evil.example.com", "X-CSRF-Token": "TOKEN"}, 403),
    "from a sandbox": ({"Origin": "null", "X-CSRF-Token": "TOKEN"}, 403),
    "from a sibling": ({"Sec-Fetch-Site": "same-site", "X-CSRF-Token": "TOKEN"}, 403),
    "from nowhere": ({"X-CSRF-Token": "TOKEN"}, 403),
    "as a form": (
        {"Origin": "OURS", "X-CSRF-Token": "TOKEN", "Content-Type": "text/plain"},
        415,
    ),
}


@pytest.mark.parametrize(("headers", "status"), FORGERIES.values(), ids=FORGERIES.keys())
def test_other_sites_cannot_act_through_a_browser(
    anna: RunningCentral, headers: dict[str, str], status: int
) -> None:
    page = Page(anna)
    filled = {
        name: value.replace("OURS", anna.url).replace("TOKEN", page.csrf)
        for name, value in headers.items()
    }
    assert page.make_node(**filled).status_code == status
    made = anna.rows("SELECT count(*) AS n FROM nodes")[0]["n"]
    assert made == (1 if status == 201 else 0)


def test_another_site_cannot_log_a_browser_in(anna: RunningCentral) -> None:
    answer = Browser().post(
        anna.url + "/v1/session",
        json={"email": "anna@example.com", "password": PASSWORD},
        headers={"Origin": "https://evil.example.com"},
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_each_credential_opens_its_own_door_only(anna: RunningCentral) -> None:
    page = Page(anna)
    with anna.client(page.secret) as thief:
        assert thief.get("/v1/whoami").status_code == 401, "a cookie is no bearer token"
    body = {"email": "anna@example.com", "password": PASSWORD}
    with anna.client() as client:
        token = client.post("/v1/login", json=body).json()["token"]
        answer = client.get("/v1/whoami", headers={"Cookie": f"{COOKIE}={token}"})
        assert answer.status_code == 401, "a bearer token is no cookie"
        both = {"Cookie": f"{COOKIE}={page.secret}", "Authorization": "Bearer wrong"}
        assert client.get("/v1/whoami", headers=both).status_code == 401


def test_logging_out_needs_the_page_and_ends_the_session(anna: RunningCentral) -> None:
    page = Page(anna)
    url = anna.url + "/v1/logout"
    assert page.browser.post(url).status_code == 403
    headers = {"Origin": anna.url, "X-CSRF-Token": page.csrf}
    assert page.browser.post(url, headers=headers).status_code == 204
    page.browser.cookies[urlsplit(anna.url).netloc] = {COOKIE: page.secret}
    assert page.browser.get(anna.url + "/v1/session").status_code == 401


ENDS = {
    "a browser, idle for 29 minutes": ("cookie", "last_seen_at", 29, 200),
    "a browser, idle for 31 minutes": ("cookie", "last_seen_at", 31, 401),
    "a command line, idle for 239 minutes": ("bearer", "last_seen_at", 239, 200),
    "a command line, idle for 241 minutes": ("bearer", "last_seen_at", 241, 401),
    "after twelve hours": ("cookie", "expires_at", 12 * 60, 401),
}


@pytest.mark.parametrize(("kind", "column", "minutes", "status"), ENDS.values(), ids=ENDS.keys())
def test_sessions_end_by_idleness_and_by_age(
    anna: RunningCentral, kind: str, column: str, minutes: int, status: int
) -> None:
    page = Page(anna)
    anna.execute(
        f"UPDATE user_sessions SET kind = :kind, {column} = {column} - :m * interval '1 minute'",
        kind=kind,
        m=minutes,
    )
    with anna.client() as client:
        headers = {"Authorization": f"Bearer {page.secret}"}
        if kind == "cookie":
            headers = {"Cookie": f"{COOKIE}={page.secret}"}
        assert client.get("/v1/whoami", headers=headers).status_code == status
        (row,) = anna.rows("SELECT now()::timestamp - last_seen_at AS idle FROM user_sessions")
        assert (row["idle"].total_seconds() < 60) == (status == 200 or column == "expires_at")


def test_one_sees_and_ends_ones_own_sessions_only(anna: RunningCentral) -> None:
    page, other = Page(anna), Page(anna)
    theirs = anna.operator("ADMIN").get("/v1/sessions").json()
    rows: list[dict[str, Any]] = page.browser.get(anna.url + "/v1/sessions").json()
    assert [row["current"] for row in rows] == [False, True]
    headers = {"Origin": anna.url, "X-CSRF-Token": page.csrf}
    url = f"{anna.url}/v1/sessions/"
    foreign = page.browser.request("DELETE", f"{url}{theirs[0]['id']}", headers)
    assert foreign.status_code == 404
    assert page.browser.request("DELETE", f"{url}{rows[0]['id']}", headers).status_code == 204
    assert other.browser.get(anna.url + "/v1/whoami").status_code == 401
    assert page.browser.get(anna.url + "/v1/whoami").status_code == 200


@pytest.mark.parametrize("act", ["demote", "deactivate", "revoke", "delete"])
def test_what_an_admin_does_acts_on_the_next_request_on_every_replica(
    anna: RunningCentral, replica: RunningCentral, act: str
) -> None:
    page = Page(anna)
    anna.create_node("n0")
    cookie = {"Cookie": f"{COOKIE}={page.secret}"}
    with replica.client() as elsewhere:
        assert elsewhere.get("/v1/nodes", headers=cookie).status_code == 200
        admin = anna.operator("ADMIN")
        url = "/v1/users/anna@example.com"
        done = {
            "demote": lambda: admin.patch(url, json={"role": "USER"}),
            "deactivate": lambda: admin.patch(url, json={"is_active": False}),
            "revoke": lambda: admin.delete(url + "/sessions"),
            "delete": lambda: admin.delete(url),
        }[act]()
        assert done.is_success, done.text
        assert elsewhere.get("/v1/nodes", headers=cookie).status_code == 401


def test_a_role_changed_in_the_database_acts_without_a_new_session(
    anna: RunningCentral, replica: RunningCentral
) -> None:
    page = Page(anna)
    anna.execute("UPDATE users SET role = 'USER' WHERE email = 'anna@example.com'")
    with replica.client() as elsewhere:
        answer = elsewhere.post(
            "/v1/nodes",
            json={"name": "n1", "region": "r1"},
            headers={
                "Cookie": f"{COOKIE}={page.secret}",
                "Origin": replica.url,
                "X-CSRF-Token": page.csrf,
            },
        )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_csrf_token_belongs_to_one_session() -> None:
    assert csrf_token("one") != csrf_token("two")
    assert len(csrf_token("one")) == 64


@pytest.mark.parametrize(
    ("target", "kept"),
    [("/a?b=c#d", "/a?b=c#d"), ("/", "/"), (None, "/"), ("a", "/"), ("///x", "/"), ("/\tx", "/")],
)
def test_only_paths_are_targets(target: str | None, kept: str) -> None:
    assert path_only(target) == kept


HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@pytest.mark.parametrize("path", ["/healthz", "/v1/nodes", "/nowhere", "/v1/oidc/login"])
def test_every_answer_carries_the_headers_for_browsers(central: RunningCentral, path: str) -> None:
    with central.client() as client:
        answer = client.get(path)
    for name, value in HEADERS.items():
        assert value in answer.headers[name]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in answer.headers, "this one is reached over http"
    assert "access-control-allow-origin" not in answer.headers
