"""Who sends a heartbeat: node keys looked up in a cache that revocation empties at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from central.tokens import digest, is_node_key

LIFETIME_SECONDS = 60.0
LARGEST_CACHE = 50_000


@dataclass(frozen=True, slots=True)
class _Entry:
    node_id: int | None
    until: float


class KeyCache:
    """Node ids by key.

    `find` asks the database (a key's digest -> node id or None). While `trusted` is False, that is
    while no connection listens for revocations, every key is looked up anew.
    """

    def __init__(self, find: Callable[[str], int | None], monotonic: Callable[[], float]) -> None:
        self._find = find
        self._monotonic = monotonic
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._epoch = 0
        self._trusted = False

    def cached(self, key: str) -> int | None:
        """The node of a key if that is known without asking the database."""
        entry = self._entries.get(digest(key)) if self._trusted else None
        if entry is None or entry.until < self._monotonic():
            return None
        return entry.node_id

    def node_of(self, key: str) -> int | None:
        """The node of a key; None for one that is malformed, unknown, expired or revoked."""
        if not is_node_key(key):
            return None
        hashed = digest(key)
        with self._lock:
            entry = self._entries.get(hashed) if self._trusted else None
            epoch = self._epoch
        if entry is not None and entry.until >= self._monotonic():
            return entry.node_id
        node_id = self._find(hashed)
        with self._lock:
            if epoch == self._epoch:  # nothing was revoked while the database answered
                self._entries[hashed] = _Entry(node_id, self._monotonic() + LIFETIME_SECONDS)
                while len(self._entries) > LARGEST_CACHE:
                    self._entries.popitem(last=False)
        return node_id

    def forget(self, node_id: int | None = None) -> None:
        """Drop what is known of a node, and of strangers, or everything: a key has changed."""
        with self._lock:
            self._epoch += 1
            if node_id is None:
                self._entries.clear()
                return
            doubtful = (node_id, None)  # a stranger's key may be the one that was just made
            for hashed in [d for d, entry in self._entries.items() if entry.node_id in doubtful]:
                del self._entries[hashed]

    def hear(self, payload: str) -> None:
        """A notification: the id of the node whose keys changed; whatever else it says means all.

        Everybody who may connect to the database can notify, so this must bear anything.
        """
        try:
            self.forget(int(payload))
        except ValueError:
            self.forget()

    def renew(self, load: Callable[[], Iterable[tuple[str, int]]]) -> None:
        """Read all live keys at once, so that a fleet's heartbeats need not ask one by one.

        `load` gives digests and node ids, at most `LARGEST_CACHE` of them.
        """
        with self._lock:
            epoch, trusted = self._epoch, self._trusted
        if not trusted:
            return
        until = self._monotonic() + LIFETIME_SECONDS
        fresh = {hashed: _Entry(node_id, until) for hashed, node_id in load()}
        with self._lock:
            if epoch == self._epoch:
                self._entries.update(fresh)

    def trust(self, listening: bool) -> None:
        """Use the cache only while revocations are heard."""
        self._trusted = listening
        self.forget()
