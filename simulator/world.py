"""The simulated tenancy: pools, metric streams, keys and faults, at one simulated time."""

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product
from random import Random

from simulator.catalogue import Catalogue
from simulator.clock import Clock, Now
from simulator.errors import not_found
from simulator.faults import Faults, Rule
from simulator.journal import Journal
from simulator.lifecycle import Snapshot
from simulator.load import Curve, DemandHistory, LoadModel, constant
from simulator.members import Domain, Member
from simulator.names import ocid
from simulator.pools import Pool
from simulator.replies import Reply
from simulator.scenario import AutoscalingSpec, CurveSpec, PoolSpec, Scenario, StreamSpec
from simulator.signatures import KeyRing, Principal
from simulator.streams import Stream, Workload, sampled
from simulator.work_requests import Failure


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """A registered native autoscaling configuration."""

    id: str
    compartment_id: str
    pool_id: str
    created_at: datetime
    spec: AutoscalingSpec


@dataclass
class World:
    """Everything that the HTTP side serves.

    Its methods are what the admin API offers; tests that run it in their own process call them
    directly. Each one takes the lock and first lets everything happen that was due.

    Attributes:
        clock: simulated time: pools, metrics, timestamps.
        wall: wall time: signatures and request rates.
        home: the pool and the instance that this very machine is, if it is one.
        seed: the same seed, requests and times give the same answers.
    """

    clock: Clock
    wall: Now
    seed: int = 0
    max_instances: int = 500
    lock: threading.RLock = field(default_factory=threading.RLock)
    keys: KeyRing = field(default_factory=KeyRing)
    requests: Journal = field(default_factory=Journal)
    pools: dict[str, Pool] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    autoscaling: list[Autoscaling] = field(default_factory=list)
    compartments: set[str] = field(default_factory=set)
    home: tuple[Pool, Member] | None = None
    retry_tokens: dict[tuple[str, str], tuple[datetime, str, Reply]] = field(default_factory=dict)
    spent: dict[tuple[str, str], deque[datetime]] = field(default_factory=dict)
    _faults: Faults = field(default_factory=Faults)
    _hits: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - simulated bad luck, not a secret

    def now(self) -> datetime:
        """Return the simulated instant, after letting everything happen that was due."""
        with self.lock:
            now = self.clock.now()
            for pool in self.pools.values():
                pool.advance(now)
            return now

    def advance(self, seconds: float) -> datetime:
        """Move the simulated clock forward and return the new instant."""
        with self.lock:
            self.clock.advance(timedelta(seconds=seconds))
            return self.now()

    def play(self, scenario: Scenario) -> None:
        """Add everything that a scenario holds.

        Raises:
            ValueError: a name that is taken, a key or a recording that cannot be read.
            ApiError: 404 for a pool that is named but not there.
        """
        with self.lock:
            self.compartments.update(scenario.compartments)
            for key in scenario.keys:
                self.register_key(key.tenancy, key.user, key.public_key)
            for pool in scenario.pools:
                self.add_pool(pool)
            for stream in scenario.streams:
                self.add_stream(stream)
            for configuration in scenario.autoscaling:
                self.add_autoscaling(configuration)
            self.faults = scenario.faults

    def register_key(self, tenancy: str, user: str, public_key: str) -> Principal:
        """Accept requests signed with this key; text that is no RSA key raises ValueError."""
        self.compartments.add(tenancy)
        return self.keys.register(tenancy, user, public_key)

    def add_pool(self, spec: PoolSpec) -> Pool:
        """Create a pool; a taken name or OCID raises ValueError."""
        with self.lock:
            since = self.now()
            if not spec.provisioning:
                since -= timedelta(seconds=spec.age_seconds)
            identifier = spec.id or ocid("instancepool", spec.region, spec.name)
            if any(identifier == p.id or spec.name == p.name for p in self.pools.values()):
                raise ValueError(f"a pool {spec.name!r} or {identifier} exists already")
            pool = Pool(
                id=identifier,
                name=spec.name,
                compartment_id=spec.compartment_id,
                region=spec.region,
                created_at=since,
                domains=_domains(spec),
                timing=spec.timing(),
                instance_configuration_id=ocid("instanceconfiguration", spec.region, spec.name),
                freeform_tags=dict(spec.freeform_tags),
            )
            model = LoadModel(
                spec.capacity, spec.jitter, spec.memory_base, spec.memory_slope, self.seed
            )
            work = Workload(model, shape=spec.shape, samples_per_minute=spec.samples_per_minute)
            _begin(work.demand, spec.demand.build(), since, self.clock.now())
            self.pools[pool.id] = pool
            self.catalogue.workloads[pool.id] = (pool, work)
            self.compartments.add(pool.compartment_id)
            self._apply_shortages()
            pool.start_with(spec.size, launching=spec.provisioning)
            if spec.hosts_this and pool.members:
                self.home = (pool, pool.members[0])
            return pool

    def add_stream(self, spec: StreamSpec) -> Stream:
        """Let a metric stream follow a curve from now on."""
        with self.lock:
            since = self.now() - timedelta(seconds=spec.age_seconds)
            demand = DemandHistory()
            _begin(demand, spec.curve.build(), since, self.clock.now())
            stream = Stream(
                spec.namespace,
                spec.name,
                spec.compartment_id,
                spec.region,
                dict(spec.dimensions),
                sampled(demand, since),
                spec.resource_group,
                owners=frozenset(spec.dimensions.values()),
            )
            self.catalogue.streams.append(stream)
            self.compartments.add(spec.compartment_id)
            return stream

    def add_autoscaling(self, spec: AutoscalingSpec) -> Autoscaling:
        """Register a native autoscaling configuration; an unknown pool raises ApiError 404."""
        with self.lock:
            pool = self.pool(spec.pool)
            identifier = ocid("autoscalingconfiguration", pool.region, pool.id)
            found = Autoscaling(identifier, pool.compartment_id, pool.id, self.now(), spec)
            self.autoscaling.append(found)
            return found

    def set_demand(self, pool: str, curve: CurveSpec) -> None:
        """Replace a pool's demand from now on; its past stays."""
        with self.lock:
            self.workload(self.pool(pool)).demand.replace(curve.build(), self.now())

    def pool(self, name: str) -> Pool:
        """Return a pool by name or OCID; an unknown one raises ApiError 404."""
        for pool in self.pools.values():
            if name in (pool.id, pool.name):
                return pool
        raise not_found()

    def workload(self, pool: Pool) -> Workload:
        """Return what a pool has to do."""
        return self.catalogue.workloads[pool.id][1]

    @property
    def faults(self) -> Faults:
        """What is wrong at the moment; assign a new value to change it."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self.lock:
            self.now()
            self._faults = faults
            self._hits = [0] * len(faults.rules)
            self._apply_shortages()

    def draw_rule(self, operation: str) -> Rule | None:
        """Return the first rule that hits this request, and count it."""
        with self.lock:
            for index, rule in enumerate(self._faults.rules):
                due = rule.count is None or self._hits[index] < rule.count
                meant = due and rule.operation in ("*", operation)
                if meant and self.random.random() < rule.probability:
                    self._hits[index] += 1
                    return rule
            return None

    def seen(self, pool: Pool, at: datetime) -> Snapshot | None:
        """Return what a pool reports for an instant, a stuck one in SCALING."""
        snapshot = pool.seen(at)
        if snapshot and {pool.id, pool.name} & self._faults.stuck_pools:
            return replace(snapshot, state="SCALING")
        return snapshot

    def _apply_shortages(self) -> None:
        for pool in self.pools.values():
            shortages = self._faults.shortages
            shortage = shortages.get(pool.id) or shortages.get(pool.name)
            pool.host_capacity = shortage.instances if shortage else None
            if shortage:
                pool.capacity_failure = Failure(shortage.code, shortage.message)


def _begin(demand: DemandHistory, curve: Curve, since: datetime, now: datetime) -> None:
    """Let a curve start now, and its first value rule the time before."""
    demand.replace(constant(curve(timedelta(0))), since)
    demand.replace(curve, now)


def _domains(spec: PoolSpec) -> list[Domain]:
    ads = [f"Sim0:{spec.region.upper()}-AD-{n + 1}" for n in range(spec.availability_domains)]
    return list(product(ads, ("FAULT-DOMAIN-1", "FAULT-DOMAIN-2", "FAULT-DOMAIN-3")))
