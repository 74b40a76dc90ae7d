"""The gate before every login: floods are turned away before they cost anything, and counted."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from central.errors import ApiError
from central.store import audit
from central.store.audit import Actor, Event

# Failed logins per second, and as many as may come at once: bcrypt slows even what outranks it.
ADDRESS_RATE, ADDRESS_BURST = 0.2, 10.0
TOTAL_RATE, TOTAL_BURST = 0.5, 20.0
LARGEST_MEMORY = 10_000  # of each kind; the longest unseen is forgotten
NAMED = 20  # addresses and accounts named in the audit of a flood
TURNED_AWAY = "Too many logins at the moment: wait a little and try again."


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` logins per second, `burst` at once."""

    rate: float
    burst: float
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        """Whether one more may pass now."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def give_back(self) -> None:
        """What was taken last did not count."""
        self.tokens = min(self.burst, self.tokens + 1)


@dataclass(slots=True)
class Flood:
    """Logins that were turned away since the last audit row about them."""

    count: int = 0
    addresses: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)


class LoginGate:
    """Bounds, per process, how many logins reach the database and bcrypt.

    A thousand wrong logins a second shall not be felt by heartbeats. What is turned away here was
    never looked at: it counts for no lock-out, and is audited in sum. Logins that succeed cost
    nothing, and whoever succeeded from an address before passes a flood from others.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._total = Bucket(TOTAL_RATE, TOTAL_BURST, TOTAL_BURST, monotonic())
        self._addresses: OrderedDict[str, Bucket] = OrderedDict()
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._flood = Flood()

    def enter(self, email: str, address: str | None, *, busy: bool) -> None:
        """Let a login through, or turn it away; `busy` when bcrypt has more than enough to do.

        Raises:
            ApiError: 429 for an address with too many, 503 when there are too many altogether.
        """
        now = self._monotonic()
        with self._lock:
            if not self._bucket(address or "-", now).take(now):
                status = 429
            elif busy or not self._passes(email, address or "-", now):
                status = 503
            else:
                return
            self._note(email, address or "-")
        code = "throttled" if status == 429 else "busy"
        raise ApiError(status, code, TURNED_AWAY, retry_after=5)

    def succeeded(self, email: str, address: str | None) -> None:
        """A login that was let through had the right password."""
        pair = (email, address or "-")
        with self._lock:
            self._bucket(pair[1], self._monotonic()).give_back()
            if pair not in self._familiar:
                self._total.give_back()
            self._familiar[pair] = None
            self._familiar.move_to_end(pair)
            while len(self._familiar) > LARGEST_MEMORY:
                self._familiar.popitem(last=False)

    def report(self, engine: Engine) -> None:
        """Write one audit row about what was turned away since the last one, if anything was."""
        with self._lock:
            flood, self._flood = self._flood, Flood()
        if not flood.count:
            return
        details = {
            "count": flood.count,
            "addresses": dict(flood.addresses.most_common(NAMED)),
            "accounts": dict(flood.accounts.most_common(NAMED)),
        }
        event = Event("LOGINS_TURNED_AWAY", "AUTH", details=details)
        with engine.begin() as connection:
            why = f"{flood.count} logins came too fast to be looked at"
            audit.append(connection, Actor(email="central"), event.failed(why))

    def _passes(self, email: str, address: str, now: float) -> bool:
        return (email, address) in self._familiar or self._total.take(now)

    def _bucket(self, address: str, now: float) -> Bucket:
        bucket = self._addresses.pop(address, None)
        if bucket is None:
            bucket = Bucket(ADDRESS_RATE, ADDRESS_BURST, ADDRESS_BURST, now)
        self._addresses[address] = bucket
        while len(self._addresses) > LARGEST_MEMORY:
            self._addresses.popitem(last=False)
        return bucket

    def _note(self, email: str, address: str) -> None:
        self._flood.count += 1
        for counter, name in ((self._flood.addresses, address), (self._flood.accounts, email)):
            if name in counter or len(counter) < LARGEST_MEMORY:
                counter[name[:255]] += 1
