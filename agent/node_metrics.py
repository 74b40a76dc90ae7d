"""How the node itself is doing, by psutil."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class NodeMetrics:
    """The node's figures; None where the system does not tell."""

    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_percent: float | None = None
    load: float | None = None

    def as_wire(self) -> dict[str, float | None]:
        """Return them as a heartbeat carries them."""
        return {
            "cpu_percent": self.cpu_percent,
            "memory_percent": self.memory_percent,
            "disk_percent": self.disk_percent,
            "load": self.load,
        }


def measure(state_dir: Path) -> NodeMetrics:
    """Measure the node. CPU is the mean since the last call; disk is the one of `state_dir`.

    A hardened unit may hide parts of /proc: what cannot be read is None, never 0.
    """
    return NodeMetrics(
        cpu_percent=_or_none(lambda: psutil.cpu_percent(interval=None)),
        memory_percent=_or_none(lambda: psutil.virtual_memory().percent),
        disk_percent=_or_none(lambda: psutil.disk_usage(str(state_dir)).percent),
        load=_or_none(lambda: psutil.getloadavg()[0]),
    )


def _or_none(read: Callable[[], float]) -> float | None:
    try:
        return float(read())
    except (OSError, ValueError, RuntimeError, psutil.Error):
        return None
