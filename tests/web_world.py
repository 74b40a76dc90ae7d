"""A small fleet for the pages: central, a simulated OCI and agents, in real time and for real."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from central.passwords import hash_password
from central.store import users
from poolkeeper.demo.processes import Process, run
from simulator.keys import generate
from tests import postgres
from tests.central_server import RunningCentral, running_central

POOL_ID = "ocid1.instancepool.oc1.eu-frankfurt-1.browserweb"
COMPARTMENT = "ocid1.compartment.oc1..browser"
REGION = "eu-frankfurt-1"
PASSWORD = "correct horse battery"
PEOPLE: dict[str, users.Role] = {"uma": "USER", "dev": "DEVOPS", "eva": "ADMIN"}
YAML = f"""version: 1
timezone: Europe/Berlin
poll_interval: 5s
pools:
  - name: web  # the shop
    instance_pool_id: {POOL_ID}
    compartment_id: {COMPARTMENT}
    region: {REGION}
    limits: {{min: 2, max: 10}}
    policies:
      - name: cpu
        type: target_tracking
        metric: CpuUtilization
        target: 60
"""


A_DAY = """
INSERT INTO pool_analytics (pool_id, node_id, oracle_pool_id, timestamp, received_at,
    current_instances, active_instances, avg_cpu_utilization, avg_memory_utilization,
    max_cpu_utilization, scaling_event, scaling_reason, config_hash)
SELECT p.id, p.node_id, p.oracle_pool_id, t.at, now(), t.size, t.size, t.load / t.size, 50,
       t.load / t.size + 4,
       CASE WHEN t.size > t.before THEN 'SCALE_OUT' WHEN t.size < t.before THEN 'SCALE_IN' END,
       format('cpu wants %s: %s %% of one instance over %s instances, target 60',
              t.size, round(t.load), t.before),
       repeat('a', 64)
FROM pools p CROSS JOIN (
    SELECT at, load, size, lag(size, 1, size) OVER (ORDER BY at) AS before
    FROM (SELECT at, load, ceil(load / 60)::int AS size
          FROM (SELECT at, 260 + 150 * sin(extract(epoch FROM at)::float8 / 4300) AS load
                FROM generate_series(now()::timestamp - interval '23 hours',
                                     now()::timestamp - interval '3 minutes', '1 minute') AS g (at)
               ) AS loads) AS sizes
) AS t
WHERE p.oracle_pool_id = :ocid
"""


def address(name: str) -> str:
    """A person's e-mail address."""
    return f"{name}@example.com"


@dataclass
class WebWorld:
    """What runs, and what people outside of the browser do."""

    central: RunningCentral
    directory: Path
    simulator: Process
    agents: list[Process] = field(default_factory=list)

    def command(self, *words: str, text: str = "") -> tuple[int, str]:
        """Run `poolkeeper` as whoever sits at a terminal."""
        environment = {"POOLKEEPER_CONFIG_DIR": str(self.directory / "operator"), "NO_COLOR": "1"}
        return run(words, environment, text)

    def agent_environment(self, name: str, key_file: Path) -> dict[str, str]:
        """What an agent on a node knows."""
        return {
            "POOLKEEPER_CENTRAL_URL": self.central.url,
            "POOLKEEPER_API_KEY_FILE": str(key_file),
            "POOLKEEPER_STATE_DIR": str(self.directory / name),
            "POOLKEEPER_STATUS_LISTEN": "127.0.0.1:0",
            "POOLKEEPER_OCI_AUTH": "config_file",
            "POOLKEEPER_OCI_CONFIG_FILE": str(self.directory / "oci" / "config"),
            "POOLKEEPER_OCI_ENDPOINT": self.simulator.announced("url"),
        }

    def start_agent(self, name: str, key_file: Path) -> Process:
        """Start a node's agent; it ends with the world."""
        agent = Process(f"agent-{name}", ["agent", "run"], self.directory)
        agent.start(self.agent_environment(name, key_file))
        self.agents.append(agent)
        return agent

    def start_agent_with(self, name: str, api_key: str) -> Process:
        """The same, with the key in hand."""
        key_file = self.directory / f"{name}.key"
        key_file.touch(mode=0o600)
        key_file.write_text(api_key, "ascii")
        return self.start_agent(name, key_file)

    def remember_a_day(self) -> None:
        """Give the pool a busy day behind it, as if central had been there."""
        self.central.execute(A_DAY, ocid=POOL_ID)

    @contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        """Hold a process still until the block ends."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def pool_size(self) -> int:
        """The pool's size as OCI has it."""
        state: dict[str, Any] = httpx.get(
            self.simulator.announced("url") + "/admin/state", timeout=10
        ).json()
        return next(int(pool["size"]) for pool in state["pools"] if pool["id"] == POOL_ID)


def scenario() -> dict[str, Any]:
    """One pool that is exactly busy enough."""
    pool = {
        "name": "web",
        "id": POOL_ID,
        "compartment_id": COMPARTMENT,
        "region": REGION,
        "size": 3,
        "demand": {"kind": "constant", "value": 180},
        "capacity": 100,
        "jitter": 0.02,
        "launch_seconds": 5.0,
        "terminate_seconds": 2,
    }
    return {"pools": [pool], "compartments": [COMPARTMENT]}


@contextmanager
def web_world(directory: Path) -> Iterator[WebWorld]:
    """Everything that the pages show, until the block ends."""
    generate(directory / "oci", region=REGION)
    (directory / "scenario.json").write_text(json.dumps(scenario()), "utf-8")
    words = [
        *("simulator", "serve", "--scenario", str(directory / "scenario.json")),
        *("--public-key", str(directory / "oci" / "public.pem"), "--seed", "7"),
    ]
    simulator = Process("simulator", words, directory)
    simulator.start()
    with (
        postgres.cluster() as cluster,
        running_central(cluster.new_database(), heartbeat_seconds=1.0) as central,
    ):
        with central.whole.engine.begin() as connection:
            hashed = hash_password(PASSWORD, cost=4)
            for name, role in PEOPLE.items():
                users.create(connection, address(name), role, name.title(), hashed)
        world = WebWorld(central, directory, simulator)
        try:
            yield world
        finally:
            for agent in world.agents:
                agent.stop()
            simulator.stop()
