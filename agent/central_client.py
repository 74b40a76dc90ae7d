"""Talking to central over HTTP: one request, one bounded answer, or one error that says how."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

import httpx
from pydantic import ValidationError

from agent.clock import Monotonic, Wall
from agent.hard_limit import HardLimit, OutOfTimeError
from shared.wire import Heartbeat, HeartbeatAnswer, Problem

MAX_ANSWER_BYTES = 4 * 1024 * 1024  # a YAML of 1 MiB grows when JSON escapes it
TOTAL_SECONDS = 15.0
_CONNECT_SECONDS = 5.0
_MIN_RETRY_AFTER, _MAX_RETRY_AFTER = 1.0, 1800.0


class CentralError(Exception):
    """A heartbeat that was not accepted.

    Attributes:
        status: of the answer; None when there was none that could be used.
        retry_after: seconds that central asked to wait, 1 to 1,800; None when it did not.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class CentralClient:
    """Posts heartbeats. An answer must be whole, JSON, at most 4 MiB and within 15 seconds."""

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        api_key: Callable[[], str],
        monotonic: Monotonic,
        wall: Wall,
    ) -> None:
        self._http = http
        self._url = f"{base_url}/v1/heartbeat"
        self._api_key = api_key
        self._monotonic = monotonic
        self._wall = wall
        self._limit = HardLimit("central", 1)

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Send a heartbeat and return the answer.

        Raises:
            CentralError: no connection, refused, an answer that cannot be trusted, or none within
                15 seconds, whatever hangs: the lookup of its name, a handshake, a dripping header.
        """
        try:
            return self._limit.run(partial(self._post, beat), TOTAL_SECONDS)
        except OutOfTimeError as error:
            raise CentralError(f"central does not answer: {error}") from error

    def _post(self, beat: Heartbeat) -> HeartbeatAnswer:
        deadline = self._monotonic() + TOTAL_SECONDS
        try:
            with self._http.stream(
                "POST",
                self._url,
                content=beat.model_dump_json(exclude_none=True),
                headers={
                    "authorization": f"Bearer {self._api_key()}",
                    "content-type": "application/json",
                    "accept-encoding": "identity",
                },
                timeout=httpx.Timeout(TOTAL_SECONDS, connect=_CONNECT_SECONDS),
            ) as response:
                body = self._read(response, deadline)
        except (httpx.LocalProtocolError, UnicodeEncodeError) as error:
            # Its words may quote the headers, and with them the key.
            message = (
                f"the heartbeat cannot be sent: {type(error).__name__}; is the node key whole?"
            )
            raise CentralError(message) from None
        except httpx.HTTPError as error:
            message = f"central does not answer: {type(error).__name__}: {error}"
            raise CentralError(message.rstrip(": ")) from error
        if response.status_code != 200:
            raise self._refused(response, body)
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise CentralError(
                f"central's answer is {kind or 'untyped'}, not JSON: a proxy's page?"
            )
        try:
            return HeartbeatAnswer.model_validate_json(body)
        except ValidationError as error:
            raise CentralError(
                f"central's answer is not one: {error.error_count()} errors"
            ) from error

    def _read(self, response: httpx.Response, deadline: float) -> bytes:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise CentralError(
                f"central's answer is compressed ({encoding}), which was not asked for"
            )
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise CentralError("central's answer is larger than 4 MiB; it was discarded")
            if self._monotonic() > deadline:
                raise CentralError("central's answer took longer than 15 s; it was discarded")
        return bytes(body)

    def _refused(self, response: httpx.Response, body: bytes) -> CentralError:
        try:
            text = Problem.model_validate_json(body).error
        except ValidationError:
            text = "no reason given"
        return CentralError(
            f"central answers {response.status_code}: {text[:500]}",
            status=response.status_code,
            retry_after=parse_retry_after(response.headers.get("retry-after"), self._wall()),
        )


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Read Retry-After, seconds or a date, and bound it to 1 s … 30 min; None when it is no use."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header).astimezone(UTC) - now).total_seconds()
        except ValueError:
            return None
    if seconds != seconds:  # noqa: PLR0124 # NaN
        return None
    return min(max(seconds, _MIN_RETRY_AFTER), _MAX_RETRY_AFTER)
