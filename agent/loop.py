"""The running service: APScheduler for the jobs, one thread for heartbeats, signals, systemd."""

import logging
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from agent.beater import Beater
from agent.central_client import CentralError
from agent.clock import ScaledClock, sleeper
from agent.errors import SettingsError
from agent.files import only_one
from agent.schedule import Agenda, TickTrigger
from agent.service import Agent
from agent.systemd_notify import Notifier

log = logging.getLogger(__name__)
_DRAIN_SECONDS = 6.0
_GOODBYE_SECONDS = 3.0
_LEAST_PATIENCE = 0.3
_CLOCK_STEP_SECONDS = 2.0
_NODE_FIGURES_EVERY = 60.0
_MISSED_TICKS = 3  # this many in a row, and the watchdog may bite


class Loop:
    """Runs an agent until it is told to stop."""

    def __init__(self, agent: Agent, clock: ScaledClock, notifier: Notifier) -> None:
        self._agent = agent
        self._clock = clock
        self._notifier = notifier
        self._reload = threading.Event()
        self._agenda = Agenda(lambda: agent.configs.running)
        self._trigger = TickTrigger(clock, self._agenda, self._phase)
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._beater = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._watchdog = agent.settings.watchdog_seconds

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; drain for at most 10 seconds, say goodbye, and return."""
        agent = self._agent
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, lambda *_: self._reload.set())
        with only_one(agent.settings.state_dir / "lock"):
            self._run()

    def _run(self) -> None:
        agent = self._agent
        agent.start()
        agent.configs.on_staged = self._wake
        self._scheduler.add_job(
            self._tick, self._trigger, id="tick", next_run_time=agent.around.wall()
        )
        every = max(1.0, _NODE_FIGURES_EVERY / self._clock.scale)
        self._scheduler.add_job(agent.report_node, IntervalTrigger(seconds=every), id="node")
        self._scheduler.start()
        self._beater.start()
        try:
            self._watch()
        finally:
            self._stop()

    def _tick(self) -> None:
        agent = self._agent
        now = self._clock.now()
        before = agent.configs.running
        complete = agent.tick(now, patience=self._patience(now))
        if agent.configs.running is not before:
            self._retime()
        if agent.configs.running is not None:
            self._notifier.ready()
        if complete:
            self._fit_watchdog()
            self._notifier.alive()
        self._notifier.status(self._status(now))

    def _retime(self) -> None:
        """The next tick was planned before this one brought a configuration with other edges."""
        if self._scheduler.get_job("tick") is not None:
            self._scheduler.reschedule_job("tick", trigger=self._trigger)

    def _fit_watchdog(self) -> None:
        """A configuration may let ticks be further apart than the unit's WatchdogSec."""
        given, running = self._agent.settings.watchdog_seconds, self._agent.configs.running
        if given is None or running is None:
            return
        poll = running.config.poll_interval.total_seconds() / self._clock.scale
        wanted = max(given, _MISSED_TICKS * poll)
        if wanted != self._watchdog:
            self._watchdog = wanted
            self._notifier.watchdog(wanted)

    def _patience(self, now: datetime) -> float:
        """Slow pools are waited for until shortly before the next tick, and then go on alone."""
        due = self._clock.wall_at(self._agenda.next_after(now))
        return max(_LEAST_PATIENCE, 0.8 * (due - self._agent.around.wall()).total_seconds())

    def _status(self, now: datetime) -> str:
        running = self._agent.configs.running
        if running is None:
            return "waiting for a first configuration"
        trouble = self._agent.trouble()
        text = f"{len(running.plans)} pools, configuration {running.hash[:12]}, tick {now:%H:%M:%S}"
        return f"{text}; {trouble}" if trouble else text

    def _phase(self) -> timedelta:
        """This node's offset within a poll, as central spreads the nodes of a tenancy."""
        return self._agent.phase.of_ticks() / self._clock.scale

    def _beat(self) -> None:
        if self._agent.beats is not None:
            around = self._agent.around
            Beater(self._agent.beats, sleeper(around.stop), around.jitter).run()

    def _wake(self) -> None:
        """A configuration is staged: with none running yet, the first tick need not wait."""
        if self._agent.configs.running is None:
            self._scheduler.modify_job("tick", next_run_time=self._agent.around.wall())

    def _watch(self) -> None:
        """Mind reloads, and a wall clock that is set: timers are computed anew after a jump."""
        around = self._agent.around
        offset = self._offset()
        while not around.stop.wait(0.5):
            if self._reload.is_set():
                self._reload.clear()
                self._reload_now()
            drift = self._offset() - offset
            if abs(drift) > _CLOCK_STEP_SECONDS:
                offset += drift
                log.warning("the wall clock was set by %+.0f s; timers are computed anew", drift)
                self._scheduler.reschedule_job("tick", trigger=self._trigger)
                every = max(1.0, _NODE_FIGURES_EVERY / self._clock.scale)
                self._scheduler.reschedule_job("node", trigger=IntervalTrigger(seconds=every))

    def _offset(self) -> float:
        around = self._agent.around
        return around.wall().timestamp() - around.monotonic()

    def _reload_now(self) -> None:
        self._notifier.reloading(self._agent.around.monotonic())
        try:
            self._agent.reload_file()
        except SettingsError as error:
            log.error("reload failed, the old configuration keeps running: %s", error)  # noqa: TRY400 # one sentence, no traceback
        self._notifier.reloaded()

    def _on_stop(self, *_: object) -> None:
        self._agent.around.stop.set()

    def _stop(self) -> None:
        agent = self._agent
        self._notifier.stopping()
        self._scheduler.shutdown(wait=False)
        agent.workers.wait(_DRAIN_SECONDS)
        agent.reporter.lifecycle("AGENT_STOPPED", "told to stop", agent.now(), status="INACTIVE")
        _within(_GOODBYE_SECONDS, self._goodbye)
        agent.close()

    def _goodbye(self) -> None:
        try:
            self._agent.beat(goodbye=True)
        except CentralError as error:
            log.info("no goodbye: %s", error)


def _within(seconds: float, job: Callable[[], None]) -> None:
    """Do a job, but do not wait for it for longer than so many seconds."""
    thread = threading.Thread(target=job, name="goodbye", daemon=True)
    thread.start()
    thread.join(seconds)
