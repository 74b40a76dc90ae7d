"""The pool of a replay: instances boot, serve equally, and are measured late.

What is asked for is paid from the moment it is asked for. A growing pool is SCALING until its new
instances run, and like OCI it refuses other sizes until then; removed instances are gone at once.
"""

from dataclasses import dataclass
from datetime import timedelta

LINE = 0.8
"""Above this utilisation demand counts as served badly: the pool is under target."""


@dataclass(frozen=True, slots=True)
class World:
    """The circumstances of a replay, the same for every scaler that is compared.

    Attributes:
        capacity: the demand that one instance serves at 100 %, in the trace's unit.
        boot: from asking for an instance until it serves.
        lag: from the end of a metric window until it can be read.
        line: the utilisation above which the pool is under target, as a share.
        start_size: the size at the start; None takes what the first demand needs.
    """

    capacity: float
    boot: timedelta = timedelta(minutes=3)
    lag: timedelta = timedelta(minutes=2)
    line: float = LINE
    start_size: int | None = None

    def needed(self, demand: float) -> int:
        """The fewest instances that serve this demand at or below the line."""
        return -int(-(demand / (self.capacity * self.line) - 1e-9) // 1)


class SimulatedPool:
    """A pool's size and running count, moved by whole steps."""

    __slots__ = ("_boot_steps", "_ready_at", "running", "size")

    def __init__(self, size: int, boot_steps: int) -> None:
        self.size = size
        self.running = size
        self._boot_steps = boot_steps
        self._ready_at = 0

    @property
    def is_scaling(self) -> bool:
        """Whether instances are booting; other sizes are refused until they run."""
        return self.running != self.size

    def advance(self, step: int) -> None:
        """Let instances run whose time has come."""
        if self.running != self.size and step >= self._ready_at:
            self.running = self.size

    def resize(self, to: int, step: int) -> None:
        """Ask for another size, at a time when the pool is not scaling."""
        self.size = to
        if to <= self.running or not self._boot_steps:
            self.running = to
        else:
            self._ready_at = step + self._boot_steps
