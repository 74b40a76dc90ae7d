"""Central as a whole: the parts, wired; what starts with it and stops with it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import FastAPI
from sqlalchemy import text

from central import liveness
from central.adoption import adopt_all
from central.answers import Answers, TextCache
from central.app import create_app
from central.budgets import Budgets
from central.database import Limits, check_server, open_engine
from central.database_roles import migrate_as_owner, warn_if_trail_is_open
from central.deps import Deps
from central.enrolment_gate import EnrolmentGate
from central.first_admin import ensure_first_admin
from central.history.retention import forget
from central.history.rollup import roll_up
from central.history.system import record_system
from central.housekeeping import tidy
from central.ingest.queue import IngestQueue
from central.ingest.transaction import GroupCommit
from central.ingest.writer import IngestWriter
from central.jobs import Job, Jobs
from central.keys import LARGEST_CACHE, KeyCache
from central.listener import Listener
from central.login_gate import LoginGate
from central.migrate import migrate, require_current
from central.notify.model import NotifySettings
from central.notify.sender import send_due
from central.notify.watch import watch
from central.oidc.flow import Oidc
from central.partitions import ensure_partitions
from central.password_worker import PasswordWorker
from central.replay_desk import ReplayDesk
from central.rollout import drive
from central.store import configs, key_rotation, nodes
from central.store.sweep import sweep
from central.telemetry import MeasuredCommit, Telemetry

SWEEP_SECONDS = 5.0
KEYS_SECONDS = 30.0  # half of the time for which a key is believed
DRAIN_SECONDS = 2.0  # after the HTTP server has had its own six
# One plans its batch while PostgreSQL works on the other's. A node is locked for its heartbeat,
# so they never write about the same one at the same time.
WRITERS = 2
INGEST_LIMITS = Limits(statement_ms=10_000, lock_ms=2_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a central runs.

    Attributes:
        database_url: where PostgreSQL is.
        heartbeat_seconds: the interval handed to agents while the fleet is small.
        migrate: bring the schema up to date at start instead of refusing an old one.
        trusted_proxies: addresses whose X-Forwarded-For is believed.
        oidc: logging in through Keycloak, where it is set up.
        public_url: the address that browsers use.
        first_admin: address and password of the account of a database that has none.
        metrics_token: what Prometheus shows for the metrics, if it asks from elsewhere.
        notify: whom to tell what is wrong.
        owner_url: the role that owns the audit trail, if it is another one; migrates at start.
    """

    database_url: str
    heartbeat_seconds: float = 30.0
    migrate: bool = False
    trusted_proxies: frozenset[str] = field(default_factory=frozenset)
    oidc: Oidc | None = None
    public_url: str | None = None
    first_admin: tuple[str, str] | None = field(default=None, repr=False)
    owner_url: str | None = field(default=None, repr=False)
    metrics_token: str | None = field(default=None, repr=False)
    notify: NotifySettings = field(default_factory=NotifySettings)


class Central:
    """A running central without its HTTP server; `app` is served by whoever made it."""

    def __init__(
        self, settings: Settings, monotonic: Callable[[], float], chance: random.Random
    ) -> None:
        self._settings = settings
        self._chance = chance
        self._nodes = 0
        self._budgets = Budgets()
        self._started = False
        self.engine = open_engine(settings.database_url)
        self._ingest_engine = open_engine(settings.database_url, pool_size=2, limits=INGEST_LIMITS)
        self._own_engine = open_engine(settings.database_url, pool_size=6)
        self.queue = IngestQueue()
        self._passwords = PasswordWorker()
        self._gate = LoginGate(monotonic)
        self._enrolments = EnrolmentGate(monotonic)
        self._replays = ReplayDesk(monotonic)
        self._telemetry = telemetry = Telemetry()
        telemetry.watch(self.engine, lambda: len(self.queue))
        self._keys = keys = KeyCache(self._find_key, monotonic)
        answers = Answers(
            TextCache(self._find_text), self._interval, self._reconnect_window, self._budgets.of
        )
        self._writers = [
            IngestWriter(
                self.queue,
                MeasuredCommit(
                    GroupCommit(self._ingest_engine, self._interval), telemetry, monotonic
                ),
                answers.complete,
                self._ensure_partitions,
                self._retry_after,
            )
            for _ in range(WRITERS)
        ]
        self._listener = Listener(
            self._own_engine,
            changed=keys.hear,
            listening=self._trust_keys,
        )
        self._jobs = self._threads()
        self.app: FastAPI = create_app(self._deps(), monotonic)

    def start(self) -> None:
        """Check the server and the schema, then start the threads.

        Raises:
            StartError: the database is not usable or not at this version's schema.
        """
        check_server(self.engine)
        if self._settings.owner_url is not None:
            migrate_as_owner(self._settings.owner_url, self._settings.database_url)
        elif self._settings.migrate:
            migrate(self.engine)
        require_current(self.engine)
        warn_if_trail_is_open(self.engine)
        if self._settings.first_admin is not None:
            ensure_first_admin(self.engine, *self._settings.first_admin)
        self._ensure_partitions()
        self._count_nodes()
        self._started = True
        for writer in self._writers:
            writer.start()
        self._listener.start()
        for jobs in self._jobs.values():
            jobs.start()

    def stop(self) -> None:
        """Write what waits (bounded in time), stop the threads, close the connections."""
        if self._started:
            for jobs in self._jobs.values():
                jobs.ask_to_stop()
            for writer in self._writers:
                writer.stop(DRAIN_SECONDS / WRITERS)
            for jobs in self._jobs.values():
                jobs.stop()
        self._passwords.close()
        self._listener.stop()
        for engine in (self.engine, self._ingest_engine, self._own_engine):
            engine.dispose()

    def _deps(self) -> Deps:
        return Deps(
            engine=self.engine,
            queue=self.queue,
            keys=self._keys,
            is_ready=self._is_ready,
            retry_after=self._retry_after,
            passwords=self._passwords,
            gate=self._gate,
            enrolments=self._enrolments,
            replays=self._replays,
            trusted_proxies=self._settings.trusted_proxies,
            oidc=self._settings.oidc,
            public_url=self._settings.public_url,
            telemetry=self._telemetry,
            metrics_token=self._settings.metrics_token,
        )

    def _threads(self) -> dict[str, Jobs]:
        return {
            "chores": Jobs(self._chores()),
            "history": Jobs(self._historic()),  # may take minutes, which no sweep can wait for
            "orders": Jobs(self._ordered()),
            "notices": Jobs(self._told()),  # may wait for a mail server
        }

    def _chores(self) -> list[Job]:
        return [
            Job("count nodes", 10.0, self._count_nodes),
            Job("keys", KEYS_SECONDS, self._renew_keys),
            Job("probe", SWEEP_SECONDS, self._probe),
            Job("sweep", SWEEP_SECONDS, self._sweep),
            Job("partitions", 600.0, self._ensure_partitions),
            Job("people", 600.0, lambda: tidy(self._own_engine)),
            Job("logins", 10.0, lambda: self._gate.report(self._own_engine)),
        ]

    def _historic(self) -> list[Job]:
        return [
            Job("roll-ups", 60.0, lambda: roll_up(self._own_engine)),
            Job("system analytics", 30.0, lambda: record_system(self._own_engine)),
            Job("retention", 3600.0, lambda: forget(self._own_engine)),
        ]

    def _ordered(self) -> list[Job]:
        return [
            Job("rollouts", 1.0, lambda: drive(self._own_engine)),
            Job("adoptions", 1.0, lambda: adopt_all(self._own_engine)),
        ]

    def _told(self) -> list[Job]:
        notify = self._settings.notify
        return [
            Job("conditions", 15.0, lambda: watch(self._own_engine, notify)),
            Job("notifications", 5.0, lambda: send_due(self._own_engine, notify)),
        ]

    def _trust_keys(self, listening: bool) -> None:
        self._keys.trust(listening)
        self._renew_keys()

    def _renew_keys(self) -> None:
        self._keys.renew(self._live_keys)

    def _live_keys(self) -> list[tuple[str, int]]:
        with self._own_engine.connect() as connection:
            return nodes.live_keys(connection, LARGEST_CACHE)

    def _interval(self) -> float:
        return liveness.assigned_interval(self._settings.heartbeat_seconds, self._nodes)

    def _reconnect_window(self) -> float:
        return liveness.reconnect_window(self._nodes)

    def _retry_after(self) -> int:
        return self._chance.randint(1, max(2, round(self._reconnect_window() / 2)))

    def _is_ready(self) -> bool:
        with self.engine.connect() as connection:
            return self._can_write() and connection.exec_driver_sql("SELECT 1").scalar() == 1

    def _can_write(self) -> bool:
        return all(writer.healthy for writer in self._writers)

    def _probe(self) -> None:
        """After an outage, find out that it is over without waiting for a heartbeat to tell."""
        if self._can_write():
            return
        self._ensure_partitions()
        with self._own_engine.begin() as connection:
            connection.execute(text("UPDATE central_state SET alive_at = alive_at"))
        for writer in self._writers:
            writer.database_answers()

    def _find_key(self, digest: str) -> int | None:
        with self._own_engine.connect() as connection:
            node_id, is_first_use = nodes.by_key(connection, digest)
        if not is_first_use:
            return node_id
        with self._own_engine.begin() as connection:
            return key_rotation.confirm(connection, digest)

    def _find_text(self, hashed: str) -> str | None:
        with self._own_engine.connect() as connection:
            return configs.text_of_hash(connection, hashed)

    def _ensure_partitions(self) -> object:
        return ensure_partitions(self._own_engine)

    def _count_nodes(self) -> None:
        with self._own_engine.connect() as connection:
            self._nodes = nodes.count(connection)
            self._budgets.share_out(nodes.readers(connection))

    def _sweep(self) -> None:
        if self._can_write():  # while ingest fails, silence proves nothing
            with self._own_engine.begin() as connection:
                sweep(connection)
