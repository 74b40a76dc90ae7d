"""One pool's turn in a tick, as a value."""

from dataclasses import dataclass
from datetime import datetime

from agent.observe import SiteView
from agent.pools import PoolSummary
from agent.restraints import Restraint
from shared.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class Turn:
    """What one pool's part of a tick is about."""

    plan: Plan
    view: SiteView
    now: datetime
    config_hash: str
    restraint: Restraint | None = None

    @property
    def pool_id(self) -> str:
        """The pool's OCID."""
        return self.plan.pool.instance_pool_id

    @property
    def summary(self) -> PoolSummary | None:
        """The pool as listed, or None when it cannot be seen."""
        return self.view.pools.get(self.pool_id)
