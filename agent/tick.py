"""One tick: every site is read once, and every pool of it has its turn."""

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from functools import partial

from agent.config_apply import Running
from agent.observe import Site, SiteView, look, site_of
from agent.sources.model import MetricSource
from agent.turn import Parts, Turn, Turns
from agent.workers import Workers
from shared.engine.plan import Plan

log = logging.getLogger(__name__)


class Ticker:
    """Runs ticks. A slow or failing site delays neither the others nor the next tick."""

    def __init__(self, parts: Parts, source: MetricSource, workers: Workers) -> None:
        self._parts = parts
        self._source = source
        self._workers = workers
        self._turns = Turns(parts)
        self.troubles: dict[Site, str] = {}

    def tick(
        self, running: Running, now: datetime, observe_only: Collection[str], patience: float
    ) -> bool:
        """Give every pool its turn.

        Args:
            running: the configuration in force.
            now: the instant of this tick, the same for every pool.
            observe_only: OCIDs that another node owns now; they are watched and left alone.
            patience: seconds of wall time to wait for slow sites; they go on by themselves.

        Returns:
            Whether every pool has had its turn.
        """
        self._turns.begin_tick()
        sites: dict[Site, list[Plan]] = {}
        for plan in running.plans.values():
            sites.setdefault(site_of(plan.pool), []).append(self._restrained(plan, observe_only))
        for site, plans in sites.items():
            started = self._workers.submit(site, self._site(site, plans, running.hash, now))
            if not started:
                log.warning("%s is still busy with an earlier tick", site.compartment_id)
        complete = self._workers.wait(patience)
        self._parts.reporter.flush()
        self._parts.state.save()
        return complete

    def _restrained(self, plan: Plan, observe_only: Collection[str]) -> Plan:
        """A pool that is not this node's to resize is only observed, whatever its YAML says."""
        pool = plan.pool
        pool_id = pool.instance_pool_id
        is_free = pool_id not in observe_only and self._parts.guard.allows(pool_id)
        if is_free or pool.mode != "active":
            return plan
        return replace(plan, pool=pool.model_copy(update={"mode": "observe"}))

    def _site(
        self, site: Site, plans: list[Plan], config_hash: str, now: datetime
    ) -> Callable[[], None]:
        def job() -> None:
            wanted = [plan.pool for plan in plans]
            view = look(self._parts.pools, self._source, site, wanted, now)
            self._note(site, view)
            for plan in plans:
                turn = Turn(plan, view, now, config_hash)
                self._workers.submit(turn.pool_id, partial(self._turns.take, turn))

        return job

    def _note(self, site: Site, view: SiteView) -> None:
        """Keep what stands in the way of a site; say it once when it is new."""
        text = None if view.cause is None else str(view.cause)
        if text is None:
            self.troubles.pop(site, None)
            return
        if site not in self.troubles:
            log.warning("the pools of %s are not known: %s", site.compartment_id, text)
        self.troubles[site] = text
