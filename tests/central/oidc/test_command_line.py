"""`poolkeeper login --keycloak`: a browser logs in, the command line gets the session."""

import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from poolkeeper.keycloak_login import Attempt, log_in, log_in_by_paste
from poolkeeper.operator_client import OperatorClient, OperatorError
from tests.browser import Browser
from tests.central_server import RunningCentral
from tests.oidc_provider import FakeProvider


@pytest.fixture
def client(central: RunningCentral) -> Iterator[OperatorClient]:
    with central.client() as http:
        yield OperatorClient(http)


def open_in(browser: Browser, hops: int = 3) -> "Opened":
    return Opened(browser, hops)


class Opened:
    """Stands for the person: opens the address in a browser, on a thread of its own."""

    def __init__(self, browser: Browser, hops: int) -> None:
        self._browser = browser
        self._hops = hops
        self._thread: threading.Thread | None = None
        self.answer: httpx.Response | None = None

    def __call__(self, url: str) -> None:
        self._thread = threading.Thread(target=self._open, args=(url,))
        self._thread.start()

    def _open(self, url: str) -> None:
        self.answer = self._browser.get(url, hops=self._hops)

    def wait(self) -> httpx.Response:
        assert self._thread is not None
        self._thread.join(30)
        assert self.answer is not None
        return self.answer


def test_a_browser_on_this_machine_brings_the_session(
    central: RunningCentral, client: OperatorClient, browser: Browser
) -> None:
    person = open_in(browser)
    session = log_in(client, central.url, person)
    assert "close this window" in person.wait().text
    assert (session.email, session.role) == ("kim@example.com", "DEVOPS")
    with central.client(session.token) as operator:
        assert operator.get("/v1/whoami").json()["email"] == "kim@example.com"
    (row,) = central.rows("SELECT kind, provider_session FROM user_sessions")
    assert row == {"kind": "bearer", "provider_session": "their-session"}


def test_a_browser_elsewhere_is_pasted(
    central: RunningCentral, client: OperatorClient, browser: Browser
) -> None:
    person = open_in(browser, hops=2)

    def _paste() -> str:
        return person.wait().headers["Location"]

    assert log_in_by_paste(client, central.url, person, _paste).role == "DEVOPS"


def test_a_refused_login_ends_the_waiting(
    central: RunningCentral, client: OperatorClient, provider: FakeProvider, browser: Browser
) -> None:
    provider.roles = {}
    with pytest.raises(OperatorError, match="could not be accepted"):
        log_in(client, central.url, open_in(browser))


def landed(central: RunningCentral, browser: Browser, attempt: Attempt) -> dict[str, str]:
    """What the browser would bring to the command line."""
    answer = browser.get(attempt.start_url(central.url, 40000), hops=2)
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == "http://127.0.0.1:40000/"
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def test_a_stolen_code_is_worth_nothing_without_the_verifier(
    central: RunningCentral, client: OperatorClient, browser: Browser
) -> None:
    attempt = Attempt()
    code = landed(central, browser, attempt)["code"]
    for verifier in (Attempt().verifier, attempt.verifier):  # by the second it is spent
        body = {"code": code, "verifier": verifier}
        with pytest.raises(OperatorError, match="has ended"):
            client.request("POST", "/v1/oidc/token", json=body)


def test_a_code_works_once_and_for_a_minute(
    central: RunningCentral, client: OperatorClient, browser: Browser
) -> None:
    attempt = Attempt()
    body = {"code": landed(central, browser, attempt)["code"], "verifier": attempt.verifier}
    assert client.request("POST", "/v1/oidc/token", json=body).status_code == 200
    with pytest.raises(OperatorError, match="has ended"):
        client.request("POST", "/v1/oidc/token", json=body)
    late = {"code": landed(central, browser, attempt)["code"], "verifier": attempt.verifier}
    central.execute("UPDATE login_codes SET expires_at = now()")
    with pytest.raises(OperatorError, match="has ended"):
        client.request("POST", "/v1/oidc/token", json=late)


def test_an_answer_to_another_question_is_refused(
    central: RunningCentral, browser: Browser
) -> None:
    query = landed(central, browser, Attempt())
    with pytest.raises(OperatorError, match="another login"):
        Attempt().code_in(query)


@pytest.mark.parametrize("missing", ["client_challenge", "client_state"])
def test_a_command_line_must_bind_its_login(
    central: RunningCentral, client: OperatorClient, missing: str
) -> None:
    parts = urlsplit(Attempt().start_url(central.url, 40000))
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    del query[missing]
    url = urlunsplit(parts._replace(query=urlencode(query)))
    with pytest.raises(OperatorError, match="needs client_challenge and client_state"):
        client.request("GET", url)
