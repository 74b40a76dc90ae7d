"""Patience with OCI: limits of rate and time, retries where they are safe, pauses in an outage."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from agent import causes
from agent.clock import Monotonic
from agent.errors import CallError
from agent.hard_limit import HardLimit, OutOfTimeError
from agent.oci_calls import MONITORING, Answer, Call
from agent.retrying import wait_before_retry
from agent.throttle import Breaker, TokenBucket

TRIES = 3
BUDGET_SECONDS = 15.0
_TOO_MANY = 429
_METRICS_TURN, _OTHERS_TURN = 10.0, 60.0
"""Seconds to wait for a turn; metrics can be read at a later tick, however few central allows."""
_A_WRITE_NEEDS = 13.0
"""Seconds to connect and be answered: a write that is given up is unknown, so it gets them all."""
_LEAST_SECONDS = 0.1
_WRITES_DRAIN = 5.0
"""Seconds that a write has left when the agent is told to stop; the next start reads it back."""
_MOST_HANGING = 32


@dataclass(frozen=True)
class Pace:
    """How fast and how often calls are made.

    Attributes:
        sleep: waits seconds; returns True when the agent stops.
        metrics: keeps SummarizeMetricsData far under the tenancy's 10 requests/s.
        others: the same for every other operation.
        on_throttled: told when Monitoring answers 429.
    """

    monotonic: Monotonic
    sleep: Callable[[float], bool]
    jitter: random.Random
    metrics: TokenBucket
    others: TokenBucket
    on_throttled: Callable[[], None] = lambda: None


class PatientCaller:
    """Makes calls by `send`, which makes one attempt. Safe to share between threads."""

    def __init__(self, send: Callable[[Call], Answer], pace: Pace) -> None:
        self._send = send
        self._pace = pace
        self._limit = HardLimit("oci", _MOST_HANGING)
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._lock = threading.Lock()

    def call(self, call: Call) -> Answer:
        """Make a call, again when that is safe and useful: at most 3 tries within 15 seconds.

        Waiting for a turn to make it at all comes on top.

        Raises:
            CallError: why it did not succeed, as a value.
        """
        self._admit(call, _METRICS_TURN if call.service is MONITORING else _OTHERS_TURN)
        deadline = self._pace.monotonic() + BUDGET_SECONDS
        attempt = 1
        while True:
            try:
                return self._once(call, deadline)
            except CallError as error:
                cause = error.cause
                safe = cause.certainty == "not_sent" if call.is_write else cause.retry
                if not safe or attempt == TRIES:
                    raise
                left = deadline - self._pace.monotonic()
                wait = wait_before_retry(cause, attempt, left, self._pace.jitter)
                needed = _A_WRITE_NEEDS if call.is_write else 0.0
                if left - wait <= needed or self._pace.sleep(wait):
                    raise
                self._admit(call, left - wait)
                attempt += 1

    def _admit(self, call: Call, patience: float) -> None:
        """Wait for a turn; raise CallError when it would not come, or the service is down."""
        pause = self._breaker(call).remaining()
        if pause:
            raise CallError(causes.paused(call, pause))
        bucket = self._pace.metrics if call.service is MONITORING else self._pace.others
        if not bucket.take(patience):
            raise CallError(causes.held_back(call))

    def _once(self, call: Call, deadline: float) -> Answer:
        breaker = self._breaker(call)
        try:
            answer = self._within(call, deadline)
        except CallError as error:
            outage = error.cause.status is None or error.cause.status >= 500
            (breaker.failed if outage else breaker.succeeded)()
            if error.cause.status == _TOO_MANY and call.service is MONITORING:
                self._pace.on_throttled()
            raise
        breaker.succeeded()
        return answer

    def _within(self, call: Call, deadline: float) -> Answer:
        """Make one attempt, and give it up when the call's time is over."""
        left = max(deadline - self._pace.monotonic(), _LEAST_SECONDS)
        try:
            return self._limit.run(partial(self._send, call), left, self._stopped(call))
        except OutOfTimeError as error:
            cause = causes.late if error.was_begun else causes.unsent
            raise CallError(cause(call, str(error))) from error

    def _stopped(self, call: Call) -> Callable[[], bool]:
        """Say when an agent that is told to stop gives a call up: a read at once, a write later."""
        pace, patience = self._pace, _WRITES_DRAIN if call.is_write else 0.0
        since: list[float] = []

        def is_over() -> bool:
            if not pace.sleep(0):
                return False
            since.append(pace.monotonic())
            return since[-1] - since[0] >= patience

        return is_over

    def _breaker(self, call: Call) -> Breaker:
        with self._lock:
            return self._breakers.setdefault(
                (call.service.name, call.region), Breaker(self._pace.monotonic)
            )
