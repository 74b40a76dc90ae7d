"""What a configuration would terminate at once. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.config.models import Config
from shared.engine.bounds import bounds_at
from shared.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class Loss:
    """Running instances of a pool above the ceiling that it would have."""

    pool: str
    lost: int
    size: int


def losses(config: Config, sizes: Mapping[str, int], now: datetime) -> list[Loss]:
    """What each active pool would lose, by OCID's newest known size; the others are left out.

    What counts is the ceiling in force now: of the limits, a schedule or an override.
    """
    found = []
    for pool in config.pools:
        size = sizes.get(pool.instance_pool_id)
        if size is None or pool.mode != "active":
            continue
        ceiling = bounds_at(Plan.of(config, pool.name), now, None).ceiling
        if size > ceiling:
            found.append(Loss(pool.name, size - ceiling, size))
    return found


def told(found: Iterable[Loss]) -> str:
    """`9 of 12 instances in web, 1 of 3 instances in batch`."""
    return ", ".join(f"{loss.lost} of {loss.size} instances in {loss.pool}" for loss in found)
