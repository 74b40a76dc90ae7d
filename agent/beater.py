"""When to send heartbeats: every assigned interval, and with patience when central is away."""

import logging
import random
from collections.abc import Callable

from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type
from tenacity.stop import stop_base

from agent.central_client import CentralError
from agent.clock import Sleeper
from agent.heartbeat import Heartbeats
from shared.wire import HeartbeatAnswer

log = logging.getLogger(__name__)
_FIRST_INTERVAL, _FIRST_WINDOW = 30.0, 10.0
_BACKOFF_BASE, _BACKOFF_CAP = 2.0, 900.0
_STEADY_JITTER = 0.1
_NEWS_WITHIN = 5.0
_BATCHES_PER_INTERVAL = 2


class _Stopped(stop_base):
    """Stops retrying when the agent stops."""

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        self._is_stopped = is_stopped

    def __call__(self, retry_state: RetryCallState) -> bool:
        del retry_state
        return self._is_stopped()


class Beater:
    """Runs on the heartbeat thread until the agent stops. Seconds of wall time."""

    def __init__(self, beats: Heartbeats, sleep: Sleeper, jitter: random.Random) -> None:
        self._beats = beats
        self._sleep = sleep
        self._jitter = jitter
        self._interval = _FIRST_INTERVAL
        self._window = _FIRST_WINDOW
        self._away = False

    def run(self) -> None:
        """Beat until told to stop."""
        retrying = Retrying(
            retry=retry_if_exception_type(CentralError),
            wait=self.wait_after,
            stop=_Stopped(lambda: self._sleep(0)),
            sleep=self._sleep,  # type: ignore[arg-type] # it also tells whether it was woken
            before_sleep=self._note,
        )
        while not self._sleep(0):
            try:
                retrying(self._beat)
            except RetryError:
                return  # told to stop while central was away
            except Exception:
                log.exception("a heartbeat failed in an unforeseen way; the next one is due")
            if self._sleep(self._pause()):
                return

    def wait_after(self, state: RetryCallState) -> float:
        """Return how long to wait after a failed attempt.

        The first wait spreads over the reconnect window that central gave; then full jitter inside
        the cap, U(0, min(15 min, 2 s × 2^k)). Retry-After only ever lengthens a wait.
        """
        if state.attempt_number == 1:
            wait = self._jitter.uniform(0, self._window)
        else:
            most = min(_BACKOFF_CAP, _BACKOFF_BASE * 2.0 ** min(state.attempt_number, 20))
            wait = self._jitter.uniform(0, most)
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, CentralError) else None
        if asked is not None:
            wait = max(wait, asked + self._jitter.uniform(0, asked * _STEADY_JITTER))
        return wait

    def _beat(self) -> HeartbeatAnswer:
        answer = self._beats.beat()
        for _ in range(_BATCHES_PER_INTERVAL - 1):
            if answer.drain == "go" and self._beats.has_more():
                answer = self._beats.beat()
        if self._away:
            log.info("central answers again")
            self._away = False
        self._interval = answer.next_heartbeat_seconds
        if answer.yaml_config is not None or self._beats.is_awaited:
            self._interval = min(self._interval, _NEWS_WITHIN)  # an operator waits for the word
        self._window = answer.reconnect_window_seconds
        return answer

    def _pause(self) -> float:
        spread = self._interval * _STEADY_JITTER
        return self._interval + self._jitter.uniform(-spread, spread)

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not self._away:
            log.warning("%s; scaling goes on with the configuration at hand", error)
        else:
            log.debug("%s", error)
        self._away = True
