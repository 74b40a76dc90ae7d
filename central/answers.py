"""Completing a heartbeat's answer: the YAML comes from a cache that cannot be stale.

Which configuration is active is read in the heartbeat's own transaction (`node_state`), so it is
right on every replica at once; the cache holds texts by their SHA-256, which never changes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from central.ingest.model import Reply
from shared.wire import Acknowledged, HeartbeatAnswer, MetricsBudget

LARGEST_CACHE_BYTES = 32 * 1024 * 1024


class TextCache:
    """Configurations by hash, the least recently used dropped beyond a number of bytes."""

    def __init__(
        self, load: Callable[[str], str | None], max_bytes: int = LARGEST_CACHE_BYTES
    ) -> None:
        self._load = load
        self._max_bytes = max_bytes
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, hashed: str) -> str | None:
        """The text behind a hash; None if nothing has it."""
        with self._lock:
            text = self._texts.get(hashed)
            if text is not None:
                self._texts.move_to_end(hashed)
                return text
        text = self._load(hashed)
        if text is not None:
            with self._lock:
                if hashed not in self._texts:
                    self._texts[hashed] = text
                    self._bytes += len(text)
                while self._bytes > self._max_bytes:
                    _, dropped = self._texts.popitem(last=False)
                    self._bytes -= len(dropped)
        return text


class Answers:
    """Turns a committed reply into what the agent reads."""

    def __init__(
        self,
        texts: TextCache,
        interval: Callable[[], float],
        reconnect_window: Callable[[], float],
        budget: Callable[[int], MetricsBudget | None],
    ) -> None:
        self._texts = texts
        self._interval = interval
        self._reconnect_window = reconnect_window
        self._budget = budget

    def complete(self, reply: Reply, ack: Acknowledged) -> HeartbeatAnswer:
        """Add the YAML, when it is due, and the server's wishes."""
        text = None
        if reply.offers_yaml and reply.config_hash is not None:
            text = self._texts.get(reply.config_hash)
        return HeartbeatAnswer(
            config_hash=reply.config_hash,
            generation=reply.generation,
            yaml_config=text,
            next_heartbeat_seconds=self._interval(),
            reconnect_window_seconds=self._reconnect_window(),
            metrics_budget=self._budget(reply.submission.node_id),
            ack=ack,
            rejected=reply.rejected,
            observe_pools=list(reply.observe_pools),
            duplicate=reply.duplicate,
            wants_config=reply.wants_config,
            next_api_key=reply.next_api_key,
            server_time=reply.server_time,
        )
