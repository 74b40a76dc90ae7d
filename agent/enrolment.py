"""Becoming a node: a one-time token is exchanged for the node's key.

A nonce lies beside the key's file before central is asked. When the answer is lost, or the machine
with it, the same command asks again with the same nonce and gets a key for the same node.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import ValidationError

from agent.addresses import check_central_url
from agent.files import flush_directory, write_atomically
from agent.trust import FreshTrust
from shared.wire import Problem
from shared.wire_enrolment import Enrolment
from shared.wire_operator import CreatedNode

TRIES = 5
_WAIT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 30.0
_SECONDS = 15.0


class EnrolmentError(Exception):
    """This machine did not become a node; the sentence says why. `status` is central's, or 0."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Candidate:
    """A machine that wants to be a node.

    Attributes:
        token: the enrolment token; never shown.
        key_file: where the node's key goes, readable by its owner alone.
    """

    name: str
    region: str | None
    token: str = field(repr=False)
    key_file: Path


def client(url: str, ca_file: Path | None) -> httpx.Client:
    """Return a client for central that trusts whom the agent will trust.

    Raises:
        SettingsError: the address would show the token to others on the way.
    """
    check_central_url(url)
    is_local = url.startswith("http://")  # only loopback: never by a proxy
    return httpx.Client(
        base_url=url.rstrip("/"),
        follow_redirects=False,
        trust_env=not is_local,
        transport=FreshTrust(ca_file) if ca_file else None,
    )


def token_of(source: str, stdin: Callable[[], str]) -> str:
    """Read the token from a file, or from standard input for `-`; it is never an argument.

    Raises:
        EnrolmentError: what is there is not one word.
    """
    text = stdin() if source == "-" else Path(source).read_text(encoding="utf-8")
    if len(text.split()) != 1:
        raise EnrolmentError("the enrolment token must be one word; it is empty or has several")
    return text.strip()


def enrol(
    http: httpx.Client, candidate: Candidate, sleep: Callable[[float], object]
) -> CreatedNode:
    """Exchange the token for a key, and put that where it belongs before anything else.

    Args:
        http: with central's base URL.
        candidate: who asks.
        sleep: waits between tries.

    Raises:
        EnrolmentError: there is a key already, central refuses, or does not answer.
        OSError: the key or the nonce cannot be written.
    """
    if candidate.key_file.exists():
        raise EnrolmentError(
            f"{candidate.key_file} holds a key already: remove it first if this machine shall be"
            " enrolled anew"
        )
    candidate.key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    nonce_file = candidate.key_file.with_name(f"{candidate.key_file.name}.enrolment")
    asked = Enrolment(name=candidate.name, region=candidate.region, nonce=_nonce(nonce_file))
    made = _ask(http, candidate.token, asked, sleep)
    write_atomically(candidate.key_file, made.api_key + "\n")
    nonce_file.unlink(missing_ok=True)
    flush_directory(nonce_file.parent)
    return made


def _nonce(path: Path) -> str:
    """The nonce of an attempt that did not end, or a new one."""
    try:
        kept = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        kept = ""
    if len(kept) != 64 or set(kept) - set("0123456789abcdef"):
        kept = secrets.token_hex(32)
        write_atomically(path, kept + "\n")
    return kept


def _ask(
    http: httpx.Client, token: str, asked: Enrolment, sleep: Callable[[float], object]
) -> CreatedNode:
    for attempt in range(1, TRIES + 1):
        try:
            response = http.post(
                "/v1/enroll",
                content=asked.model_dump_json(exclude_none=True),
                headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
                timeout=_SECONDS,
            )
        except (httpx.LocalProtocolError, UnicodeEncodeError):
            raise EnrolmentError("the enrolment token is not one: is it whole?") from None
        except httpx.HTTPError as error:
            failure = EnrolmentError(f"central does not answer: {type(error).__name__}: {error}")
            wait = _WAIT_SECONDS * attempt
        else:
            if response.status_code == 201:
                return _read(response)
            failure = _refusal(response)
            if response.status_code < 500 and response.status_code != 429:
                raise failure
            wait = _wait(response)
        if attempt < TRIES:
            sleep(wait)
    raise failure


def _read(response: httpx.Response) -> CreatedNode:
    try:
        return CreatedNode.model_validate_json(response.content)
    except ValidationError as error:
        raise EnrolmentError("what answered is not central: is the address right?") from error


def _refusal(response: httpx.Response) -> EnrolmentError:
    try:
        text = Problem.model_validate_json(response.content).error
    except ValidationError:
        text = f"central answered {response.status_code} without a reason"
    return EnrolmentError(text, response.status_code)


def _wait(response: httpx.Response) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked) if asked.isdigit() else _WAIT_SECONDS, _LONGEST_WAIT_SECONDS)
