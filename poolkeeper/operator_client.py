"""What the operators' commands know about central: its API, and whose session this is."""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, urlsplit

import click
import httpx
from pydantic import TypeAdapter, ValidationError

from poolkeeper.listing import plain
from shared.wire import Problem

DEFAULT_URL = "http://127.0.0.1:8642"
NO = 1  # exit status: the answer is no
FAILURE = 2
REFUSALS = frozenset({404, 409, 412, 422})
Answer = TypeVar("Answer")


class OperatorError(Exception):
    """A request that did not succeed; the message is one sentence for the operator."""

    def __init__(self, sentence: str, *, status: int = 0, problem: Problem | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.problem = problem

    @property
    def exit_code(self) -> int:
        """1 when central understood and said no, 2 for everything else."""
        return NO if self.status in REFUSALS else FAILURE


@dataclass(frozen=True, slots=True)
class SavedSession:
    """Where one is logged in, kept in a file that only its owner can read."""

    url: str
    token: str
    email: str
    expires_at: str

    @classmethod
    def load(cls, path: Path) -> "SavedSession | None":
        """The saved session; None if there is none that can be read."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the file anew, mode 0600."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        mode = stat.S_IRUSR | stat.S_IWUSR
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        fresh.rename(path)


class OperatorClient:
    """Central's API for operators, one method per kind of answer."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return its successful response.

        Raises:
            OperatorError: central is not reached, or refuses.
        """
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise OperatorError(
                f"Central at {self._http.base_url} does not answer ({type(error).__name__}): is it "
                "running, and is POOLKEEPER_CENTRAL_URL right?"
            ) from error
        if response.is_success:
            return response
        problem = _problem(response)
        raise OperatorError(problem.error, status=response.status_code, problem=problem)

    def ask(self, kind: type[Answer], method: str, path: str, **options: Any) -> Answer:
        """Send a request and read its JSON as a wire model."""
        return TypeAdapter(kind).validate_json(self.request(method, path, **options).content)


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def session_file(environment: Mapping[str, str]) -> Path:
    """Where the session is kept."""
    given = environment.get("POOLKEEPER_CONFIG_DIR")
    base = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (Path(given) if given else base / "poolkeeper") / "session.json"


def central_url(given: str | None, environment: Mapping[str, str]) -> str:
    """The address to use: the option, the environment, the session, or the local default.

    Raises:
        OperatorError: it would send secrets over the network in the clear.
    """
    saved = SavedSession.load(session_file(environment))
    fallback = saved.url if saved else DEFAULT_URL
    url = (given or environment.get("POOLKEEPER_CENTRAL_URL") or fallback).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return url
    raise OperatorError(f"{url!r} is refused: use https:// (http:// only on this machine).")


def connect(url: str | None = None) -> OperatorClient:
    """A client with the token of the environment or of the saved session; it ends with the command.

    Raises:
        OperatorError: the address would carry secrets in the clear; nobody is logged in and no
            address is given.
    """
    environment = os.environ
    address = central_url(url, environment)
    saved = SavedSession.load(session_file(environment))
    token = environment.get("POOLKEEPER_TOKEN")
    addressed = url or environment.get("POOLKEEPER_CENTRAL_URL")
    if saved is None and token is None and not addressed:
        raise OperatorError("Log in first: poolkeeper login --url https://CENTRAL.")
    if token is None and saved is not None and saved.url == address:
        token = saved.token  # a token is only ever sent to the central that gave it
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    http = httpx.Client(base_url=address, headers=headers, timeout=30)
    click.get_current_context().call_on_close(http.close)
    return OperatorClient(http)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Print a refusal, with every problem's place, and leave with the right status."""
    try:
        yield
    except OperatorError as error:
        fail(error)
    except ValidationError as error:
        click.echo("Error: central's answer cannot be read: is it of another version?", err=True)
        raise SystemExit(FAILURE) from error


def fail(error: OperatorError) -> NoReturn:
    """Print why and exit."""
    click.echo(f"Error: {plain(str(error))}", err=True)
    show_problems(error)
    raise SystemExit(error.exit_code)


def show_problems(error: OperatorError) -> None:
    """Print the places of a refused configuration, on standard error."""
    for detail in error.problem.details if error.problem else []:
        if "line" in detail:
            place = f"line {detail['line']}, column {detail['column']}"
            where = f"{detail['path']}: " if detail.get("path") else ""
            line = f"{place}: {where}{detail['message']}"
            if line not in str(error):  # the sentence names the first one
                click.echo(f"  {plain(line)}", err=True)


Option = Callable[[Callable[..., Any]], Callable[..., Any]]
CENTRAL: Option = click.option(
    "--url", metavar="URL", help="Of central; default: POOLKEEPER_CENTRAL_URL or the last login."
)
JSON: Option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _problem(response: httpx.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:
        sentence = f"Something that is not central answered with status {response.status_code}."
        return Problem(error=sentence, code="not_central")
