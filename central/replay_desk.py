"""Who may replay now: one at a time and for a few seconds, since ingest shares the processor."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from central.errors import ApiError

LONGEST = 5.0  # seconds of one replay
PATIENCE = 2.0  # seconds that the next one waits for its turn
PREVIEW = 1.0  # seconds of following schedules


class ReplayDesk:
    """Gives out turns; `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._busy = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[Callable[[], None]]:
        """One replay's time; what it is given raises once that is over.

        Raises:
            ApiError: 503 while others replay; 422 for a replay that takes too long.
        """
        if not self._busy.acquire(timeout=PATIENCE):
            raise ApiError(
                503, "busy", "Somebody else replays at the moment: try again.", retry_after=5
            )
        try:
            in_time = self.hurry(LONGEST)

            def _watch() -> None:
                if not in_time():
                    raise ApiError(
                        422,
                        "too_long",
                        f"This replay takes more than {LONGEST:.0f} s: choose a shorter time.",
                    )

            yield _watch
        finally:
            self._busy.release()

    def hurry(self, seconds: float = PREVIEW) -> Callable[[], bool]:
        """Tells whether there is still time left of so many seconds from now."""
        end = self._monotonic() + seconds
        return lambda: self._monotonic() < end
