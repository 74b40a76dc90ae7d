"""Keeping under request limits and away from services that are down. Wall (monotonic) seconds."""

import math
import threading
from collections.abc import Callable

from agent.clock import Monotonic


class TokenBucket:
    """At most `rate` requests per second on average, `burst` at once; callers wait their turn."""

    def __init__(
        self, rate: float, burst: int, monotonic: Monotonic, sleep: Callable[[float], object]
    ) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._monotonic = monotonic
        self._sleep = sleep
        self._filled_at = monotonic()
        self._lock = threading.Lock()

    def set_rate(self, rate: float) -> None:
        """Change the rate, for central hands each node its share of the tenancy's limit."""
        with self._lock:
            self._fill()
            self._rate = rate

    def take(self, patience: float = math.inf) -> bool:
        """Wait for a token and use it. Waiting callers queue: each one owes its own token.

        Args:
            patience: seconds; a token that would take longer is left to others.

        Returns:
            Whether there was one in that time; if not, nothing was waited for.
        """
        with self._lock:
            self._fill()
            wait = (1 - self._tokens) / self._rate
            if wait > patience:
                return False
            self._tokens -= 1
        if wait > 0:
            self._sleep(wait)
        return True

    def _fill(self) -> None:
        now = self._monotonic()
        gained = max(0.0, now - self._filled_at) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now


class Breaker:
    """Stops calling a service that fails again and again, for a while. One for each client.

    Only outages count (no answer, or 5xx): a pool that answers 409 must never stop metrics.
    """

    def __init__(
        self, monotonic: Monotonic, *, failures: int = 5, pause_seconds: float = 30.0
    ) -> None:
        self._monotonic = monotonic
        self._limit = failures
        self._pause = pause_seconds
        self._failures = 0
        self._open_until = 0.0
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """Return for how many seconds calls are refused; 0 lets one try."""
        with self._lock:
            if self._failures < self._limit:
                return 0.0
            return max(0.0, self._open_until - self._monotonic())

    def succeeded(self) -> None:
        """Note an answer of any kind that is not an outage."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Note an outage."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._open_until = self._monotonic() + self._pause
