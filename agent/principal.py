"""The instance principal: a token that is renewed ahead of time, on a thread of its own.

Oracle's signer fetches certificates and trades them for a token inside whatever request finds the
old one too old, which blocks for minutes where the metadata service or the token exchange is slow.
Here a request signs with the newest token at hand or fails at once; only the very first ones wait,
for at most ten seconds.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.clock import Monotonic, Wall

log = logging.getLogger(__name__)
_FIRST_PATIENCE_SECONDS = 10.0
_RETRY_FIRST, _RETRY_MOST = 2.0, 60.0
_LEAST_BETWEEN = timedelta(seconds=30)


class AuthUnavailableError(Exception):
    """There is no token to sign with; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """What signs requests for a while.

    Attributes:
        sign: adds the signature to a request (a `requests` authentication object).
        issued_at: by the issuer's clock.
        expires_at: by the issuer's clock.
    """

    sign: Callable[[Any], Any]
    issued_at: datetime
    expires_at: datetime


class Principal:
    """Signs requests with a token that is kept fresh.

    Args:
        renew: gets a new token, however long that takes; raises anything.
        wall: tells when a token is old.
        monotonic: measures the patience of the first requests.
    """

    def __init__(self, renew: Callable[[], Token], wall: Wall, monotonic: Monotonic) -> None:
        self._renew = renew
        self._wall = wall
        self._monotonic = monotonic
        self._state = threading.Condition()
        self._wanted = threading.Event()
        self._token: Token | None = None
        self._error = "no token yet"
        self._first_asked: float | None = None
        self._renewed_at: datetime | None = None

    def __call__(self, request: Any) -> Any:
        """Sign a request.

        Raises:
            AuthUnavailableError: there is no valid token.
        """
        return self._current().sign(request)

    def refused(self) -> None:
        """Note that OCI answered 401: get a new token soon, but not again and again."""
        recent = self._renewed_at
        if recent is None or self._wall() - recent >= _LEAST_BETWEEN:
            self._wanted.set()

    def _current(self) -> Token:
        with self._state:
            if self._first_asked is None:
                self._first_asked = self._monotonic()
                threading.Thread(target=self._keep, name="oci-auth", daemon=True).start()
            left = self._first_asked + _FIRST_PATIENCE_SECONDS - self._monotonic()
            if self._token is None and left > 0:
                self._state.wait_for(lambda: self._token is not None, timeout=left)
            token = self._token
        if token is None:
            raise AuthUnavailableError(self._error)
        if self._wall() >= token.expires_at:
            self._wanted.set()
            raise AuthUnavailableError(f"the token expired and there is no new one: {self._error}")
        return token

    def _keep(self) -> None:
        wait = _RETRY_FIRST
        while True:
            try:
                token = self._renew()
            except Exception as error:  # noqa: BLE001 # the SDK raises anything; told when asked
                self._failed(error)
                self._wanted.wait(wait)
                wait = min(wait * 2, _RETRY_MOST)
            else:
                wait = _RETRY_FIRST
                self._wanted.wait(self._publish(token))
            self._wanted.clear()

    def _publish(self, token: Token) -> float:
        """Use a new token; return after how many seconds half of its life is over."""
        with self._state:
            self._token, self._error = token, ""
            self._renewed_at = self._wall()
            self._state.notify_all()
        left = (token.expires_at - self._renewed_at).total_seconds()
        return max(_RETRY_FIRST, left / 2)

    def _failed(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        with self._state:
            is_news = text != self._error
            self._error = text
        if is_news:
            log.warning("no instance principal token: %s", text)
