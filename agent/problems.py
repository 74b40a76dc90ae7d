"""Problems that nobody waits for: said once in the log, and kept to be told to central."""

import logging
import threading
from collections import deque

log = logging.getLogger(__name__)
_MOST = 100
_REMEMBERED = 20


class Problems:
    """Collects sentences until they are taken; one that was just told is not told again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: deque[str] = deque(maxlen=_MOST)
        self._told: deque[str] = deque(maxlen=_REMEMBERED)

    def add(self, text: str) -> None:
        """Log a problem and keep it, unless it is one of the last that were told."""
        with self._lock:
            if text in self._told:
                return
            self._told.append(text)
            self._texts.append(text)
        log.error("%s", text)

    def take(self) -> list[str]:
        """Return what was added since the last call."""
        with self._lock:
            texts = list(self._texts)
            self._texts.clear()
        return texts
