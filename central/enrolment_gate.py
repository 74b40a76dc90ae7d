"""The gate before every enrolment: guesses and floods are turned away before they cost anything."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from central.errors import ApiError
from central.login_gate import LARGEST_MEMORY, Bucket

ADDRESS_RATE, ADDRESS_BURST = 2.0, 20.0  # a second; as many as may come at once from an address
TOTAL_RATE, TOTAL_BURST = 20.0, 100.0
TURNED_AWAY = "Too many enrolments at the moment: try again in a few seconds."


class EnrolmentGate:
    """Bounds, per process, how many enrolments reach the database."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._total = Bucket(TOTAL_RATE, TOTAL_BURST, TOTAL_BURST, monotonic())
        self._addresses: OrderedDict[str, Bucket] = OrderedDict()

    def enter(self, address: str | None) -> None:
        """Let an enrolment through, or turn it away.

        Raises:
            ApiError: 429 for an address with too many, 503 when there are too many altogether.
        """
        now, name = self._monotonic(), address or "-"
        with self._lock:
            bucket = self._addresses.pop(name, None)
            bucket = bucket or Bucket(ADDRESS_RATE, ADDRESS_BURST, ADDRESS_BURST, now)
            self._addresses[name] = bucket
            while len(self._addresses) > LARGEST_MEMORY:
                self._addresses.popitem(last=False)
            is_own_fault = not bucket.take(now)
            if not is_own_fault and self._total.take(now):
                return
        status, code = (429, "throttled") if is_own_fault else (503, "busy")
        raise ApiError(status, code, TURNED_AWAY, retry_after=5)
