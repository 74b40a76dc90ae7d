"""A machine becomes a node: one key, kept privately, whatever is lost on the way."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from agent.enrolment import TRIES, Candidate, EnrolmentError, client, enrol, token_of
from agent.errors import SettingsError

Handler = Callable[[httpx.Request], httpx.Response]


class Desk:
    """A central that answers as it is told, and then with a key."""

    def __init__(self, *first: httpx.Response | Exception) -> None:
        self.first = list(first)
        self.asked: list[dict[str, str]] = []
        self.tokens: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/v1/enroll")
        self.asked.append(json.loads(request.content))
        self.tokens.append(request.headers["authorization"])
        if self.first:
            answer = self.first.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        made = {"id": 1, "name": "web-1", "region": "r1", "api_key": f"pk_{len(self.asked)}"}
        return httpx.Response(201, json=made)


def problem(status: int, sentence: str, **headers: str) -> httpx.Response:
    body = {"error": sentence, "code": "x"}
    return httpx.Response(
        status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "credentials" / "api_key"


def run(desk: Handler, key_file: Path, waits: list[float] | None = None) -> str:
    http = httpx.Client(base_url="https://central", transport=httpx.MockTransport(desk))
    candidate = Candidate("web-1", None, "pk_enroll_secret", key_file)
    sleep = (waits if waits is not None else []).append
    return enrol(http, candidate, sleep).api_key


def test_the_key_is_kept_for_its_owner_alone(key_file: Path) -> None:
    desk = Desk()
    assert run(desk, key_file) == "pk_1"
    assert key_file.read_text() == "pk_1\n"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert [path.name for path in key_file.parent.iterdir()] == ["api_key"]
    assert desk.tokens == ["Bearer pk_enroll_secret"]
    assert desk.asked[0].keys() == {"name", "nonce"}


def test_a_lost_answer_is_asked_for_again_with_the_same_nonce(key_file: Path) -> None:
    desk = Desk(httpx.ReadError("the connection broke"), httpx.ConnectError("refused"))
    assert run(desk, key_file) == "pk_3"
    assert len({asked["nonce"] for asked in desk.asked}) == 1


def test_a_machine_that_dies_in_between_goes_on_with_the_same_nonce(key_file: Path) -> None:
    desk = Desk(*[httpx.ReadError("broke")] * TRIES)
    with pytest.raises(EnrolmentError, match="central does not answer: ReadError"):
        run(desk, key_file)
    assert not key_file.exists()
    kept = key_file.with_name("api_key.enrolment")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run(desk, key_file) == f"pk_{TRIES + 1}"
    assert len({asked["nonce"] for asked in desk.asked}) == 1
    assert not kept.exists()


@pytest.mark.parametrize("text", ["", "short", "Z" * 64, "ab" * 32 + "0"])
def test_a_nonce_that_is_damaged_is_made_anew(key_file: Path, text: str) -> None:
    key_file.parent.mkdir()
    key_file.with_name("api_key.enrolment").write_text(text)
    desk = Desk()
    run(desk, key_file)
    assert len(desk.asked[0]["nonce"]) == 64
    assert desk.asked[0]["nonce"] != text


def test_a_busy_central_is_given_the_time_that_it_asks_for(key_file: Path) -> None:
    waits: list[float] = []
    desk = Desk(
        problem(503, "busy", retry_after="5"),
        problem(429, "slow down", retry_after="9999"),
        problem(503, "busy"),
    )
    run(desk, key_file, waits)
    assert waits == [5, 30, 2]


def test_a_refusal_is_told_at_once_and_as_it_is(key_file: Path) -> None:
    desk = Desk(problem(403, "The enrolment token has expired: ask for another."))
    with pytest.raises(EnrolmentError, match="has expired: ask for another") as refused:
        run(desk, key_file)
    assert (refused.value.status, len(desk.asked)) == (403, 1)


@pytest.mark.parametrize(
    "strange", [httpx.Response(201, text="<html>"), httpx.Response(201, json={"id": 1})]
)
def test_what_is_no_central_is_not_believed(key_file: Path, strange: httpx.Response) -> None:
    with pytest.raises(EnrolmentError, match="not central"):
        run(Desk(strange), key_file)
    assert not key_file.exists()


def test_a_machine_that_has_a_key_keeps_it(key_file: Path) -> None:
    key_file.parent.mkdir()
    key_file.write_text("pk_mine")
    with pytest.raises(EnrolmentError, match="holds a key already"):
        run(Desk(), key_file)
    assert key_file.read_text() == "pk_mine"


def test_a_token_that_no_header_can_hold_is_told_without_showing_it(key_file: Path) -> None:
    http = httpx.Client(base_url="https://central", transport=httpx.MockTransport(Desk()))
    with pytest.raises(EnrolmentError, match="is it whole") as refused:
        enrol(http, Candidate("web-1", None, "pk_enröll", key_file), lambda _: None)
    assert "enröll" not in str(refused.value)
    assert "pk_" not in repr(Candidate("web-1", None, "pk_secret", key_file))


@pytest.mark.parametrize("text", ["", "\n", "two words"])
def test_a_token_is_one_word(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(EnrolmentError, match="must be one word"):
        token_of(str(file), lambda: "")
    with pytest.raises(EnrolmentError, match="must be one word"):
        token_of("-", lambda: text)


def test_a_token_comes_from_a_file_or_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    assert token_of(str(tmp_path / "token"), lambda: "two") == "one"
    assert token_of("-", lambda: "two\n") == "two"


@pytest.mark.parametrize("url", ["http://central.example.com", "central", "https://a:b@central"])
def test_no_token_goes_over_the_network_in_the_clear(url: str) -> None:
    with pytest.raises(SettingsError):
        client(url, None)
