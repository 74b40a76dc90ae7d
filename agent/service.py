"""The agent in one piece, without threads of its own: a tick and a heartbeat are calls."""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime

from agent.act import Actor, DryActor, Outcome
from agent.board import Board
from agent.central_watch import WatchedCentral
from agent.config_apply import ConfigApplier
from agent.errors import SettingsError
from agent.files import make_home
from agent.guard import read_guard
from agent.heartbeat import Central, Health, Heartbeats, Identity
from agent.journal import Journal
from agent.node_metrics import NodeMetrics, measure
from agent.outbox import Outbox
from agent.phase import Phase
from agent.problems import Problems
from agent.report import Reporter
from agent.settings import Settings
from agent.state import StateStore
from agent.surroundings import Ports, Surroundings
from agent.tick import Ticker
from agent.trace import Trace
from agent.turns import Parts
from agent.version import CAPABILITIES, tzdata_version, version
from agent.workers import InlineWorkers, ThreadWorkers, Workers
from shared.config.problems import ConfigError
from shared.engine.model import Decision
from shared.engine.plan import Plan
from shared.wire import HeartbeatAnswer, MetricsBudget

log = logging.getLogger(__name__)


class Agent:
    """The agent in one piece. `tick` and `beat` may be called directly, or by `agent.loop`."""

    def __init__(self, settings: Settings, around: Surroundings, ports: Ports) -> None:
        self.settings = settings
        self.around = around
        self.problems = Problems()
        stamp = around.wall().strftime("%Y%m%dT%H%M%S")
        home = settings.state_dir
        make_home(home)
        problem = self.problems.add
        self.configs = ConfigApplier(home / "config.json", stamp=stamp, on_problem=problem)
        self.state = StateStore(home / "state.json", stamp=stamp, on_problem=problem)
        self.journal = Journal(home / "writes", stamp=stamp, on_problem=problem)
        self.outbox = Outbox(
            home / "outbox.sqlite3", new_id=_new_id, stamp=stamp, on_problem=problem
        )
        self.board = Board()
        self.reporter = Reporter(self.outbox, self.board.saw)
        self.workers = _workers(around.threads, problem)
        self._guard = read_guard(settings.guard_file)
        self._trace = Trace(settings.trace_file)
        self.ticker = Ticker(self._parts(ports), ports.source, self.workers, around.stop.is_set)
        self.central: WatchedCentral | None = None
        if ports.central is not None:
            self.central = WatchedCentral(ports.central, around.wall)
        self.beats = self._heartbeats(self.central, ports.tenancy)
        self.started_at: datetime | None = None
        self.last_tick_at: datetime | None = None
        self.phase = ports.phase or Phase(around.jitter)
        self.on_budget: Callable[[MetricsBudget | None], None] = lambda budget: None  # noqa: ARG005 # `build` connects it

    def _parts(self, ports: Ports) -> Parts:
        actor = DryActor if self.around.dry else Actor
        return Parts(
            pools=ports.pools,
            state=self.state,
            journal=self.journal,
            actor=actor(ports.pools, self.journal, _new_id, ports.own_instance),
            guard=self._guard,
            reporter=self.reporter,
            trace=self._trace,
            elapsed=self.around.clock.elapsed,
            running_hash=self._running_hash,
            on_decision=self._decided,
        )

    def _heartbeats(
        self, central: Central | None, tenancy: Callable[[], str | None]
    ) -> Heartbeats | None:
        if central is None:
            return None
        beats = Heartbeats(
            central,
            Identity(version(), _new_id(), CAPABILITIES, tzdata_version(), tenancy),
            self.outbox,
            self.configs,
            health=self.health,
            measure=self.measure,
            wall=self.around.wall,
            on_budget=self._apply_budget,
        )
        beats.observe_pools, beats.on_observe = self.state.observed, self.state.observe
        return beats

    def _decided(self, plan: Plan, decision: Decision, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.board.acted(plan.pool.name, outcome)
        self.around.on_decision(plan, decision, outcome)

    def _running_hash(self) -> str | None:
        running = self.configs.running
        return running.hash if running else None

    def _apply_budget(self, budget: MetricsBudget | None) -> None:
        self.phase.assign(budget)
        self.on_budget(budget)

    def start(self) -> None:
        """Load the local file, if any, and note the start.

        Raises:
            SettingsError: there is a local file, nothing else to run, and it cannot be used.
        """
        self.started_at = self.now()
        self.reporter.lifecycle("AGENT_STARTED", f"poolkeeper {version()}", self.now())
        self.reload_file()

    def reload_file(self) -> None:
        """Read the guard and the local file again; with a central that only ever bootstraps.

        Raises:
            SettingsError: one of them cannot be used; what was in force stays so.
        """
        self._guard.file = read_guard(self.settings.guard_file).file
        path = self.settings.config_file
        if path is None:
            return
        try:
            text = path.read_text(encoding="utf-8")
            self.configs.bootstrap(text, authoritative=self.beats is None)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read the configuration {path}: {error}") from error
        except ConfigError as error:
            raise SettingsError(f"{path} cannot be used:\n{error}") from error

    def now(self) -> datetime:
        """Return the instant that decisions follow."""
        return self.around.clock.now()

    def tick(self, now: datetime | None = None, patience: float = 60.0) -> bool:
        """Swap in a staged configuration, then give every pool its turn.

        Args:
            now: the instant of the tick; the clock's when left out.
            patience: seconds of wall time to wait for slow pools.

        Returns:
            Whether the tick is complete; without a configuration there is nothing to do.
        """
        now = now or self.now()
        begin = self.around.monotonic()
        swapped = self.configs.swap(now)
        self._tell(now)
        running = self.configs.running
        if swapped is not None:
            self.state.reset_backoff()
            kept = {pool.instance_pool_id for pool in swapped.config.pools}
            self.state.keep_only(kept)
            self.board.keep_only(kept)
        complete = True
        if running is not None:
            self.phase.poll = running.config.poll_interval
            observed = self.beats.observe_pools if self.beats else frozenset[str]()
            complete = self.ticker.tick(running, now, observed, patience)
        self.board.ticked(self.around.monotonic() - begin, complete=complete)
        if complete:
            self.last_tick_at = now
        return complete

    def beat(self, *, goodbye: bool = False) -> HeartbeatAnswer | None:
        """Send one heartbeat; None without a central. Raises CentralError."""
        return self.beats.beat(goodbye=goodbye) if self.beats else None

    def measure(self) -> NodeMetrics:
        """Measure the node."""
        return measure(self.settings.state_dir)

    def report_node(self) -> None:
        """Put the node's figures into the outbox."""
        self.reporter.node(self.measure(), self.now())

    def health(self) -> Health:
        """Return what heartbeats say about the loop."""
        return Health(self.last_tick_at, self.trouble())

    def trouble(self) -> str | None:
        """Return the newest trouble that lasts, in one sentence, or None."""
        texts = list(self.ticker.troubles.values())
        return texts[0] if texts else None

    def close(self) -> None:
        """Save and let go. The agent can be built again on the same directory."""
        self.reporter.flush()
        self.state.save()
        self.workers.close()
        self.outbox.close()
        self._trace.close()

    def _tell(self, now: datetime) -> None:
        """Turn what happened since the last tick into lifecycle events."""
        for change in self.configs.take_changes():
            level = logging.INFO if change.event == "CONFIG_APPLIED" else logging.ERROR
            log.log(level, "%s: %s", change.event, change.reason)
            status = "ACTIVE" if change.event == "CONFIG_APPLIED" else "ERROR"
            extra = {"config_hash": change.hash}
            self.reporter.lifecycle(
                change.event,
                change.reason,
                now,
                status="ACTIVE" if status == "ACTIVE" else "ERROR",
                extra=extra,
            )
        for text in self.problems.take():
            self.reporter.lifecycle("AGENT_PROBLEM", text, now, status="ERROR")


def _workers(threads: int, on_problem: Callable[[str], object]) -> Workers:
    return ThreadWorkers(threads, on_problem) if threads else InlineWorkers()


def _new_id() -> str:
    return uuid.uuid4().hex
