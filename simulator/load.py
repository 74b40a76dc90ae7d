"""Demand over time, and the readings that it causes on each instance of a pool."""

import csv
import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Curve = Callable[[timedelta], float]
"""Demand by the time since the curve was set; never negative."""


def noise(*seed: object) -> float:
    """Return a number in [-1, 1) that depends only on the seed: the same in every run."""
    digest = hashlib.blake2b("/".join(map(str, seed)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**63 - 1


def constant(value: float) -> Curve:
    """Return a demand that never changes."""
    return lambda _: value


def steps(points: Iterable[tuple[timedelta, float]]) -> Curve:
    """Return a demand that jumps at given offsets; before the first one it is 0."""
    ordered = sorted(points)
    offsets = [offset for offset, _ in ordered]

    def at(elapsed: timedelta) -> float:
        index = bisect_right(offsets, elapsed)
        return ordered[index - 1][1] if index else 0.0

    return at


def sine(
    mean: float, amplitude: float, period: timedelta, *, noise_share: float = 0, seed: int = 0
) -> Curve:
    """Return a wave around `mean` with seeded noise, a share of the mean, for each minute."""

    def at(elapsed: timedelta) -> float:
        wave = amplitude * math.sin(math.tau * (elapsed / period))
        minute = elapsed // timedelta(minutes=1)
        return max(0.0, mean + wave + mean * noise_share * noise("sine", seed, minute))

    return at


def recorded(text: str) -> Curve:
    """Return the demand of a CSV `timestamp,value`; its first row is offset 0.

    The timestamp is ISO 8601 (UTC when it names no zone) or seconds. Each value holds until the
    next row.

    Raises:
        ValueError: a row that is not a timestamp and a number, or no row at all.
    """
    rows: list[tuple[datetime, float]] = []
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        if not row or (number == 1 and row[0].strip().lower() == "timestamp"):
            continue
        try:
            rows.append((_instant(row[0].strip()), float(row[1])))
        except (IndexError, ValueError):
            raise ValueError(f"line {number}: expected `timestamp,value`, found {row}") from None
    if not rows:
        raise ValueError("the demand file holds no rows")
    start = min(at for at, _ in rows)
    return steps((at - start, value) for at, value in rows)


def _instant(text: str) -> datetime:
    if text.replace(".", "", 1).isdigit():
        return datetime.fromtimestamp(float(text), UTC)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class DemandHistory:
    """The curves of one source, in the order in which they were set."""

    def __init__(self) -> None:
        self._since: list[datetime] = []
        self._curves: list[Curve] = []

    def replace(self, curve: Curve, since: datetime) -> None:
        """Let a curve rule from `since` on; what came before stays as it was."""
        self._since.append(since)
        self._curves.append(curve)

    def at(self, instant: datetime) -> float:
        """Return the demand at an instant; 0 before the first curve."""
        index = bisect_right(self._since, instant)
        return self._curves[index - 1](instant - self._since[index - 1]) if index else 0.0


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Turns demand into utilisation.

    Attributes:
        capacity: the demand that one instance serves at 100 % CPU.
        jitter: seeded scatter between instances, as a share of the reading.
        memory_base: memory utilisation of an idle instance, in percent.
        memory_slope: percent of memory added for each percent of CPU.
        seed: the same seed gives the same readings.
    """

    capacity: float = 100.0
    jitter: float = 0.0
    memory_base: float = 20.0
    memory_slope: float = 0.5
    seed: int = 0

    def cpu(self, demand: float, running: int, instance_id: str, at: datetime) -> float:
        """Return 100 * demand / (capacity * running) with scatter, cut to 0..100 percent."""
        even = min(100.0, 100.0 * demand / (self.capacity * running))
        scatter = 1 + self.jitter * noise(self.seed, instance_id, at.timestamp())
        return min(100.0, max(0.0, even * scatter))

    def memory(self, cpu: float) -> float:
        """Return memory_base + memory_slope * cpu, cut to 0..100 percent."""
        return min(100.0, max(0.0, self.memory_base + self.memory_slope * cpu))
