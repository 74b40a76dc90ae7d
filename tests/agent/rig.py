"""Driving a whole agent by hand: stepped time, no threads, the real SDK against the simulator."""

import random
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.compose import build
from agent.heartbeat import Central
from agent.names import Names
from agent.oci_auth import OciAuth
from agent.oci_client import Credentials, Means, OciClient
from agent.oci_pools import OciPools
from agent.patience import Pace
from agent.rehearsal import ClockSpec
from agent.service import Agent
from agent.settings import Settings
from agent.sources.oci_monitoring import OciMonitoring
from agent.surroundings import OnDecision, Ports, Surroundings
from agent.throttle import TokenBucket
from shared.engine.model import Decision
from shared.engine.plan import Plan
from simulator.clock import SteppedClock
from simulator.faults import Faults
from simulator.keys import ApiKey
from simulator.pools import Pool
from simulator.scenario import ConstantCurve, PoolSpec
from simulator.server import Running, running
from simulator.world import World

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
COMPARTMENT = "ocid1.compartment.oc1..simulated"
REGION = "eu-frankfurt-1"


class Hurried(threading.Event):
    """An event that nobody waits for: retries and throttles sleep no time at all."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


@dataclass(frozen=True)
class WorldClock:
    """The simulated world's time, as an agent's clock."""

    world: World
    start: datetime = NOON

    def now(self) -> datetime:
        return self.world.now()

    def elapsed(self) -> float:
        return (self.world.now() - self.start).total_seconds()


def wall_now() -> datetime:
    return datetime.now(UTC)


def pool_yaml(name: str, **settings: Any) -> str:
    """One pool of a configuration; settings replace or add keys."""
    lines = {
        "name": name,
        "instance_pool_id": f"ocid1.instancepool.oc1.{REGION}.{name}",
        "compartment_id": COMPARTMENT,
        "region": REGION,
        "limits": "{min: 1, max: 20}",
        "metric_lag": "1m",
        "warmup": "0s",
        "policies": "[{name: cpu, type: target_tracking, metric: CpuUtilization, target: 50}]",
    } | settings
    return "\n".join(f"{key}: {value}" for key, value in lines.items() if value is not None)


def config_yaml(*pools: str, more: str = "") -> str:
    """A configuration of pools; `more` is YAML at the top level."""
    items = "".join(f"  - {textwrap.indent(pool, '    ').strip()}\n" for pool in pools)
    head = "version: 1\npoll_interval: 30s\n"
    return f"{head}{textwrap.dedent(more)}pools:\n{items}" if pools else f"{head}{more}pools: []\n"


@dataclass
class Rig:
    """A simulated tenancy, and agents that look after it."""

    server: Running
    key: ApiKey
    home: Path

    @property
    def world(self) -> World:
        return self.server.world

    @property
    def settings(self) -> Settings:
        return Settings(
            state_dir=self.home / "state",
            oci_auth=OciAuth("config_file", str(self.key.config_file)),
            oci_endpoint=self.server.url,
            clock=ClockSpec(scale=1000),
        )

    def surroundings(
        self, on_decision: OnDecision = lambda plan, decision, outcome: None
    ) -> Surroundings:
        clock = WorldClock(self.world)
        return Surroundings(
            clock=clock,
            wall=wall_now,
            monotonic=clock.elapsed,
            stop=Hurried(),
            jitter=random.Random(1),
            threads=0,
            on_decision=on_decision,
        )

    def agent(
        self,
        yaml: str | None = None,
        central: Central | None = None,
        *,
        on_decision: OnDecision = lambda plan, decision, outcome: None,
        **settings: Any,
    ) -> Agent:
        """Build an agent on this rig's state directory, and start it."""
        config = None
        if yaml is not None:
            config = self.home / "config.yaml"
            config.write_text(yaml, encoding="utf-8")
        given = replace(self.settings, config_file=config, **settings)
        around = self.surroundings(on_decision)
        client = self.client(given, around)
        agent = Agent(given, around, Ports(OciPools(client), OciMonitoring(client), central))
        agent.start()
        return agent

    def client(
        self,
        settings: Settings,
        around: Surroundings,
        names: Names | None = None,
        metrics: TokenBucket | None = None,
    ) -> OciClient:
        fast = TokenBucket(1e9, 1000, around.monotonic, around.stop.wait)
        return OciClient(
            Means(
                Credentials(settings.oci_auth, around.wall, around.monotonic),
                settings.oci_endpoint,
                around.wall,
                Pace(
                    around.monotonic,
                    around.stop.wait,
                    around.jitter,
                    metrics=metrics or fast,
                    others=fast,
                ),
                names or Names(),
            )
        )

    def add_pool(self, name: str, size: int = 2, demand: float = 0, **spec: Any) -> Pool:
        """Create a pool; one instance serves 100 of demand at 100 % CPU."""
        settings = {
            "id": f"ocid1.instancepool.oc1.{spec.get('region', REGION)}.{name}",
            "compartment_id": COMPARTMENT,
            "demand": ConstantCurve(kind="constant", value=demand),
            "launch_seconds": 60,
            "terminate_seconds": 20,
        } | spec
        return self.world.add_pool(PoolSpec(name=name, size=size, **settings))

    def demand(self, pool: str, value: float) -> None:
        self.world.set_demand(pool, ConstantCurve(kind="constant", value=value))

    def size(self, pool: str) -> int:
        self.world.now()
        return self.world.pool(pool).current.size

    def break_with(self, **faults: Any) -> None:
        self.world.faults = Faults(**({"metrics_per_second": None} | faults))

    def run(self, agent: Agent, minutes: float, *, every: float = 30.0) -> None:
        """Let time pass, with a tick at every poll."""
        for _ in range(round(minutes * 60 / every)):
            self.world.advance(every)
            agent.tick()

    def requests(self) -> dict[str, int]:
        return self.world.requests.by_operation()


class Decisions:
    """Notes what was decided: (time, pool, size, code)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rows: list[tuple[datetime, str, int, str]] = []

    def __call__(self, plan: Plan, decision: Decision, outcome: object) -> None:
        verdict = decision.verdict
        code = verdict.reasons[-1].code.value
        self.rows.append((self._world.now(), plan.pool.name, verdict.desired, code))

    def codes(self, pool: str) -> list[str]:
        return [code for _, name, _, code in self.rows if name == pool]


@contextmanager
def rig_on(key: ApiKey, home: Path) -> Iterator[Rig]:
    """A rig whose world stands at noon until a test lets time pass."""
    world = World(SteppedClock(NOON), wall_now)
    world.register_key(key.tenancy, key.user, key.public_key.read_text())
    world.faults = Faults(metrics_per_second=None)
    with running(world) as server:
        yield Rig(server, key, home)


def until(condition: Callable[[], Any], *, within: float = 20.0) -> Any:
    """Wait for something to come true; fail when it does not in time."""
    deadline = datetime.now(UTC) + timedelta(seconds=within)
    while not (found := condition()):
        assert datetime.now(UTC) < deadline, "waited in vain"
        threading.Event().wait(0.02)
    return found


__all__ = [
    "COMPARTMENT",
    "NOON",
    "REGION",
    "Decisions",
    "Rig",
    "build",
    "config_yaml",
    "pool_yaml",
    "rig_on",
    "until",
]
