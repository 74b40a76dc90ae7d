"""Problems that nobody waits for: said once in the log, and kept to be told to central."""

import logging
import threading
from collections import deque

log = logging.getLogger(__name__)
_MOST = 100


class Problems:
    """Collects sentences until they are taken; the oldest go first when there are too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: deque[str] = deque(maxlen=_MOST)

    def add(self, text: str) -> None:
        """Log a problem and keep it."""
        log.error("%s", text)
        with self._lock:
            self._texts.append(text)

    def take(self) -> list[str]:
        """Return what was added since the last call."""
        with self._lock:
            texts = list(self._texts)
            self._texts.clear()
        return texts
