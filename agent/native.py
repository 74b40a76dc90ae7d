"""OCI's own autoscaling on a pool: two that size one pool fight, so the agent keeps out of it."""

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from agent.errors import CallError
from agent.observe import Site
from agent.pools import Pools

log = logging.getLogger(__name__)
_EVERY = timedelta(minutes=5)
_AT_MOST = timedelta(minutes=10)
_HALF_A_MINUTE = 30
_DENIALS = (401, 403, 404)


class NativeWatch:
    """Knows which pools have an enabled autoscaling configuration, as of a few minutes ago.

    The configurations of a site are listed before its first decision and every five minutes from
    then on, if possible in a tick that reads no metrics. Without the permission to list them
    (`inspect auto-scaling-configurations`) nothing is known and nothing is refused.
    """

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._lock = threading.Lock()
        self._listed: dict[Site, tuple[datetime, Mapping[str, str]]] = {}
        self._denied: set[Site] = set()

    def refresh(self, site: Site, now: datetime) -> None:
        """List the configurations of a site when that is due."""
        with self._lock:
            known = self._listed.get(site)
        if known is not None and not _is_due(known[0], now):
            return
        try:
            found = self._pools.native_autoscaling(site.region, site.compartment_id)
            self._denied.discard(site)
        except CallError as error:
            if site not in self._denied:
                log.info(
                    "whether OCI autoscaling is on in %s is not known: %s",
                    site.compartment_id,
                    error,
                )
            self._denied.add(site)
            if known is None and error.cause.status not in _DENIALS:
                return  # it failed in passing: the next tick asks again
            found = known[1] if known else {}
        with self._lock:
            self._listed[site] = (now, found)

    def name_for(self, site: Site, pool_id: str) -> str | None:
        """Return the name of the enabled configuration of a pool, or None."""
        with self._lock:
            known = self._listed.get(site)
        return known[1].get(pool_id) if known else None


def _is_due(listed_at: datetime, now: datetime) -> bool:
    age = abs(now - listed_at)
    return age >= _AT_MOST or (age >= _EVERY and now.second >= _HALF_A_MINUTE)
