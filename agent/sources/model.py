"""What every metric source answers, and the protocol that one implements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.config.models import Pool
from shared.engine.model import Reading


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU or memory of a pool in the newest trusted window, in percent over its instances."""

    mean: float
    max: float
    at: datetime


@dataclass(frozen=True, slots=True)
class PoolReadings:
    """Everything read for one pool: a reading for each policy by name, and its CPU and memory.

    None means unknown, which is loud on purpose: it is never taken for idle.
    """

    policies: Mapping[str, Reading] = field(default_factory=dict)
    cpu: Usage | None = None
    memory: Usage | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A pool to read metrics for, and how many instances it has about now."""

    pool: Pool
    size: int


class MetricSource(Protocol):
    """Reads metrics for all pools of a region and compartment together."""

    def read(self, wishes: Sequence[Wish], now: datetime) -> Mapping[str, PoolReadings]:
        """Return what is known at `now`, by pool name.

        A failure is a reading with an error, never an exception: the other policies still count.
        """
        ...
