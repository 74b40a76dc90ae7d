"""When, within a minute, this node reads: nodes of one tenancy share 10 metric requests a second.

Ticks fall on the same instants everywhere. Central spreads its nodes by giving each a phase; a
node without one takes a random phase as soon as Monitoring answers 429. The part of a phase that
is shorter than a poll moves the ticks; whole polls beyond it let metric windows wait.
"""

import random
from datetime import timedelta

from shared.wire import MetricsBudget

_WINDOW_SECONDS = 60.0


class Phase:
    """The phase in force.

    Attributes:
        poll: the poll interval in force.
    """

    def __init__(self, jitter: random.Random) -> None:
        self._jitter = jitter
        self.poll = timedelta(seconds=30)
        self._given: float | None = None
        self._own: float | None = None

    def assign(self, budget: MetricsBudget | None) -> None:
        """Take what central's newest answer says; without a budget the last one stays."""
        if budget is not None:
            self._given = budget.phase_seconds

    def throttled(self) -> None:
        """Monitoring answered 429: without a central that spreads the nodes, step aside once."""
        if self._given is None and self._own is None:
            self._own = self._jitter.uniform(0, _WINDOW_SECONDS)

    def of_ticks(self) -> timedelta:
        """Return by how much ticks are later than the multiples of the poll interval."""
        return self._whole() % self.poll

    def of_reads(self) -> timedelta:
        """Return how long closed metric windows wait, in whole polls."""
        return self._whole() // self.poll * self.poll

    def _whole(self) -> timedelta:
        seconds = self._given if self._given is not None else self._own
        return timedelta(seconds=seconds or 0.0)
