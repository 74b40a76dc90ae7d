"""Why a pool is only watched although its YAML says that it is active."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from agent.guard import LocalGuard
from agent.native import NativeWatch
from agent.observe import site_of
from shared.config.models import Pool
from shared.wire import PoolStatus


@dataclass(frozen=True, slots=True)
class Restraint:
    """What keeps the agent's hands off a pool, in a sentence, and how bad that is."""

    code: Literal["OWNED_ELSEWHERE", "NOT_ALLOWED", "NATIVE_AUTOSCALING", "CONTENDED"]
    text: str
    status: PoolStatus = "healthy"


class Restraints:
    """Says which pools may only be observed."""

    def __init__(self, guard: LocalGuard, native: NativeWatch) -> None:
        self._guard = guard
        self.native = native

    def of(self, pool: Pool, owned_elsewhere: Collection[str]) -> Restraint | None:
        """Return what restrains a pool, or None.

        Args:
            pool: the pool.
            owned_elsewhere: OCIDs of pools that central gave to another node.
        """
        pool_id = pool.instance_pool_id
        if pool_id in owned_elsewhere:
            return Restraint("OWNED_ELSEWHERE", "another agent owns this pool: only observed")
        if not self._guard.allows(pool_id):
            return Restraint(
                "NOT_ALLOWED", "this node's guard file does not list the pool: only observed"
            )
        name = self.native.name_for(site_of(pool), pool_id)
        if name is None:
            return None
        text = (
            f"OCI's own autoscaling configuration {name!r} is enabled on this pool: only observed;"
            " disable it there, or set mode: observe here"
        )
        return Restraint("NATIVE_AUTOSCALING", text, "error")
