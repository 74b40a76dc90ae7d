"""What is asked of Monitoring: one selector serves every pool and policy that reads the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared import mql
from shared.config.models import Policy, Pool
from shared.config.policy_models import COMPUTE_AGENT, Step

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
POOL, INSTANCE = "instancePoolId", "resourceId"


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric of one compartment, or one query that is sent as it is."""

    region: str
    compartment_id: str
    namespace: str
    resource_group: str | None
    interval: timedelta
    metric: str | None
    query: str | None = None

    @property
    def resolution(self) -> str:
        """The window length as MQL writes it."""
        minutes = self.interval // _MINUTE
        if minutes <= 60:
            return f"{minutes}m"
        return "1d" if minutes == 1440 else f"{minutes // 60}h"

    @property
    def separates_pools(self) -> bool:
        """Whether a stream without a pool in the answer belongs to no pool, not to all."""
        if self.query is None:
            return True
        return POOL in (mql.parse(self.query).group_by or ())

    def text(self, pool_ids: Sequence[str] = ()) -> str:
        """Return the query; `pool_ids` narrows it when one answer could not hold all streams."""
        if self.query is not None:
            return self.query
        some = f'{{{POOL} =~ "{"|".join(pool_ids)}"}}' if pool_ids else ""
        return f"{self.metric}[{self.resolution}]{some}.groupBy({POOL},{INSTANCE}).mean()"

    def floor(self, at: datetime) -> datetime:
        """Return the END of the newest window that is closed at `at`."""
        return floor_to(at, self.interval)


def floor_to(at: datetime, interval: timedelta) -> datetime:
    """Return the END of the newest window of that length that is closed at `at`."""
    return _EPOCH + (at - _EPOCH) // interval * interval


def selector_of(pool: Pool, policy: Policy) -> Selector:
    """Return what a policy reads."""
    return Selector(
        pool.region,
        policy.metric_compartment_id or pool.compartment_id,
        policy.namespace,
        policy.resource_group,
        policy.effective_interval,
        policy.metric,
        policy.query,
    )


def usage_of(pool: Pool, metric: str) -> Selector:
    """Return how a pool's CPU or memory is read, whatever its policies read."""
    return Selector(pool.region, pool.compartment_id, COMPUTE_AGENT, None, _MINUTE, metric)


def history_of(pool: Pool, policy: Policy) -> timedelta:
    """Return how much history a policy looks at, counted back from its newest trusted window."""
    looked_at = pool.stale_after
    if isinstance(policy, Step):
        ladders = (policy.scale_out, policy.scale_in)
        looked_at = max(looked_at, *(ladder.for_ for ladder in ladders if ladder))
    elif policy.demand is not None:
        looked_at = max(looked_at, policy.demand.window)
    return looked_at + 2 * policy.effective_interval
