"""The instance that the agent runs on, if it is one: it is never removed from its own pool."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)
_PATIENCE_SECONDS = 3.0


class Home:
    """Learns, behind the scenes, which instance this is.

    Args:
        look_up: asks the metadata service; returns the instance's OCID, or None off OCI.
    """

    def __init__(self, look_up: Callable[[], str | None]) -> None:
        self._look_up = look_up
        self._known = threading.Event()
        self._instance: str | None = None

    def begin(self) -> None:
        """Start to look it up."""
        threading.Thread(target=self._learn, name="home", daemon=True).start()

    def instance(self) -> str | None:
        """Return the instance's OCID; the first callers wait for it, three seconds at most."""
        self._known.wait(_PATIENCE_SECONDS)
        return self._instance

    def _learn(self) -> None:
        try:
            self._instance = self._look_up()
        finally:
            self._known.set()
        if self._instance is not None:
            log.info("this is the instance %s", self._instance)
