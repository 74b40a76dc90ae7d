"""One tick: every site is read once, and every pool of it has its turn."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from agent.config_apply import Running
from agent.native import NativeWatch
from agent.observe import Site, SiteView, look, site_of
from agent.restraints import Restraints
from agent.sources.model import MetricSource
from agent.turn import Turn
from agent.turns import Parts, Turns
from agent.workers import Workers
from shared.engine.plan import Plan

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Part:
    """A site's part of a tick."""

    site: Site
    plans: list[Plan]
    owned_elsewhere: frozenset[str]
    config_hash: str
    now: datetime


class Ticker:
    """Runs ticks. A slow or failing site delays neither the others nor the next tick."""

    def __init__(
        self,
        parts: Parts,
        source: MetricSource,
        workers: Workers,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._parts = parts
        self._restraints = Restraints(parts.guard, NativeWatch(parts.pools))
        self._source = source
        self._workers = workers
        self._is_stopping = is_stopping
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
            sites.setdefault(site_of(plan.pool), []).append(plan)
        for gone in [site for site in list(self.troubles) if site not in sites]:
            self.troubles.pop(gone, None)
        for site, plans in sites.items():
            part = _Part(site, plans, frozenset(observe_only), running.hash, now)
            started = self._workers.submit(site, partial(self._site, part))
            if not started:
                log.warning("%s is still busy with an earlier tick", site.compartment_id)
        complete = self._workers.wait(patience)
        behind = self._parts.journal.behind()
        if self._parts.reporter.flush():
            self._parts.journal.catch_up(behind)
        self._parts.state.save()
        return complete

    def _site(self, part: "_Part") -> None:
        self._restraints.native.refresh(part.site, part.now)
        wanted = [plan.pool for plan in part.plans]
        view = look(self._parts.pools, self._source, part.site, wanted, part.now)
        if self._is_stopping():
            return  # what was read in a hurry is no reason to say or do anything
        self._note(part.site, view)
        for plan in part.plans:
            turn = self._turn(plan, view, part)
            self._workers.submit(turn.pool_id, partial(self._turns.take, turn))

    def _turn(self, plan: Plan, view: SiteView, part: "_Part") -> Turn:
        """A pool that is not this node's to resize is only observed, whatever its YAML says."""
        if plan.pool.mode != "active":
            return Turn(plan, view, part.now, part.config_hash)
        restraint = self._restraints.of(plan.pool, part.owned_elsewhere)
        if restraint is not None:
            plan = replace(plan, pool=plan.pool.model_copy(update={"mode": "observe"}))
        return Turn(plan, view, part.now, part.config_hash, restraint)

    def _note(self, site: Site, view: SiteView) -> None:
        """Keep what stands in the way of a site; say it once when it is new."""
        text = None if view.cause is None else str(view.cause)
        if text is None:
            self.troubles.pop(site, None)
            return
        if site not in self.troubles:
            log.warning("the pools of %s are not known: %s", site.compartment_id, text)
        self.troubles[site] = text
