"""The agent as a real process: signals, systemd's protocol, and being killed at any moment."""

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.clock import ScaledClock
from simulator.faults import Faults, Rule
from simulator.keys import ApiKey
from simulator.scenario import ConstantCurve, PoolSpec
from simulator.server import Running, running
from simulator.world import World
from tests.agent.rig import COMPARTMENT, NOON, config_yaml, pool_yaml, until, wall_now

SCALE = 30.0
POLICIES = (
    "[{name: cpu, type: step, metric: CpuUtilization,"
    " scale_out: {for: 1m, steps: [{above: 70, add: 1}]},"
    " scale_in: {for: 1m, steps: [{below: 20, remove: 1}]}}]"
)


class Node:
    """A node with an agent's process, in front of a fast simulated tenancy."""

    def __init__(self, server: Running, key: ApiKey, home: Path, origin: datetime) -> None:
        self.server = server
        self.home = home
        self.state = home / "state"
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(home / "notify"))
        self.notified.setblocking(False)
        self.messages: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.env = {
            **os.environ,
            "POOLKEEPER_STATE_DIR": str(self.state),
            "POOLKEEPER_OCI_AUTH": "config_file",
            "POOLKEEPER_OCI_CONFIG_FILE": str(key.config_file),
            "POOLKEEPER_OCI_ENDPOINT": server.url,
            "POOLKEEPER_CLOCK": ";".join(
                [f"scale={SCALE}", f"simulated={NOON.isoformat()}", f"wall={origin.isoformat()}"]
            ),
            "NOTIFY_SOCKET": str(home / "notify"),
        }

    def start(self, yaml: str | None = None, **env: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "poolkeeper", "agent", "run"]
        if yaml is not None:
            (self.home / "config.yaml").write_text(yaml)
            words += ["--config", str(self.home / "config.yaml")]
        with (self.home / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**self.env, **env}
            )
        return self.process

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def told(self) -> list[str]:
        """Everything that systemd would have been told so far."""
        while True:
            try:
                self.messages.append(self.notified.recv(4096).decode())
            except BlockingIOError:
                return self.messages

    def log(self) -> str:
        return (self.home / "agent.log").read_text()

    def size(self) -> int:
        self.server.world.now()
        return self.server.world.pool("web").current.size

    def resizes(self) -> list[tuple[datetime, int]]:
        return [
            (entry.at, json.loads(entry.detail or "{}")["size"])
            for entry in self.server.world.requests.entries
            if entry.operation == "UpdateInstancePool" and entry.status == 200
        ]

    def records(self) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.state / "outbox.sqlite3")) as db:
            return [json.loads(body) for (body,) in db.execute("SELECT body FROM records")]

    def let_pass(self, time: timedelta) -> None:
        """Wait for simulated time to pass."""
        end = self.server.world.now() + time
        until(lambda: self.server.world.now() > end)

    def demand(self, value: float) -> None:
        self.server.world.set_demand("web", ConstantCurve(kind="constant", value=value))


def too_soon(
    changes: list[tuple[datetime, int]], cooldown: timedelta, *, begin: int = 4
) -> list[tuple[datetime, int]]:
    """The resizes within a cooldown: growth waits for growth, shrinking for any change."""
    found, size, grown, changed = [], begin, NOON - timedelta(days=1), NOON - timedelta(days=1)
    for at, to in changes:
        if at - (grown if to > size else changed) < cooldown:
            found.append((at, to))
        grown, changed, size = at if to > size else grown, at, to
    return found


@contextmanager
def node_on(key: ApiKey, home: Path, *, size: int = 4, demand: float = 200) -> Iterator[Node]:
    origin = wall_now()
    clock = ScaledClock(wall_now, origin_simulated=NOON, origin_wall=origin, scale=SCALE)
    world = World(clock, wall_now)
    world.register_key(key.tenancy, key.user, key.public_key.read_text())
    world.faults = Faults(metrics_per_second=None)
    world.add_pool(
        PoolSpec(
            name="web",
            id="ocid1.instancepool.oc1.eu-frankfurt-1.web",
            compartment_id=COMPARTMENT,
            size=size,
            demand=ConstantCurve(kind="constant", value=demand),
            launch_seconds=30,
            terminate_seconds=20,
        )
    )
    with running(world) as server:
        node = Node(server, key, home, origin)
        try:
            yield node
        finally:
            if node.process is not None and node.process.poll() is None:
                node.kill()
            node.notified.close()


@pytest.fixture
def node(key: ApiKey, tmp_path: Path) -> Iterator[Node]:
    with node_on(key, tmp_path) as found:
        yield found


@pytest.mark.slow
def test_it_says_ready_with_the_first_configuration_and_ends_cleanly_on_sigterm(
    node: Node,
) -> None:
    process = node.start(config_yaml(pool_yaml("web", policies=POLICIES)))
    until(lambda: "READY=1" in node.told())
    until(lambda: "WATCHDOG=1" in node.told())
    assert any(message.startswith("STATUS=1 pools, configuration") for message in node.told())
    node.demand(390)
    until(lambda: node.size() == 5)

    begin = datetime.now(UTC)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0, node.log()
    assert datetime.now(UTC) - begin < timedelta(seconds=10)
    assert "STOPPING=1" in node.told()
    kinds = [r.get("event_type") for r in node.records() if r["kind"] == "lifecycle"]
    assert kinds[0] == "AGENT_STARTED"
    assert kinds[-1] == "AGENT_STOPPED"
    assert "Traceback" not in node.log()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "within"), [("ListInstancePools", 4), ("UpdateInstancePool", 9)]
)
def test_a_call_that_hangs_does_not_hold_up_the_end(
    node: Node, operation: str, within: float
) -> None:
    """A read is given up at once; a write has five seconds more, and is read back later."""
    yaml = config_yaml(pool_yaml("web", policies=POLICIES, cooldown="{scale_out: 1h}"))
    hangs = Rule(operation=operation, reply_latency_seconds=14, count=1)
    process = node.start(yaml)
    until(lambda: "WATCHDOG=1" in node.told())
    asked = node.server.world.requests.by_operation().get(operation, 0)
    node.server.world.faults = Faults(metrics_per_second=None, rules=(hangs,))
    node.demand(390)
    until(lambda: node.server.world.requests.by_operation().get(operation, 0) > asked)

    begin = datetime.now(UTC)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, node.log()
    assert datetime.now(UTC) - begin < timedelta(seconds=within)
    assert "Traceback" not in node.log()
    assert "cannot schedule" not in node.log()

    node.start(yaml)
    until(lambda: node.size() == 5)
    node.let_pass(timedelta(minutes=3))
    assert [size for _, size in node.resizes()] == [5]


@pytest.mark.slow
def test_sighup_reads_the_file_again_and_a_bad_file_changes_nothing(node: Node) -> None:
    process = node.start(config_yaml(pool_yaml("web", policies="[]")))
    until(lambda: "READY=1" in node.told())
    node.messages.clear()
    (node.home / "config.yaml").write_text("version: 1\npools: [{}]\n")
    process.send_signal(signal.SIGHUP)
    until(lambda: "reload failed" in node.log())
    assert any(message.startswith("RELOADING=1\nMONOTONIC_USEC=") for message in node.told())
    assert process.poll() is None

    (node.home / "config.yaml").write_text(
        config_yaml(pool_yaml("web", policies="[]", limits="{min: 6, max: 9}"))
    )
    process.send_signal(signal.SIGHUP)
    until(lambda: node.size() == 6)


@pytest.mark.slow
@pytest.mark.fault(21)
def test_a_second_agent_on_the_same_state_is_refused(node: Node) -> None:
    node.start(config_yaml(pool_yaml("web", policies="[]")))
    until(lambda: "READY=1" in node.told())
    second = subprocess.run(
        [sys.executable, "-m", "poolkeeper", "agent", "run"],
        env={**node.env, "NOTIFY_SOCKET": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 2
    assert "another agent works in" in second.stderr


@pytest.mark.slow
def test_fault_11_killed_while_the_answer_to_a_write_is_on_its_way(node: Node) -> None:
    yaml = config_yaml(
        pool_yaml("web", policies=POLICIES, cooldown="{scale_out: 10m, scale_in: 10m}")
    )
    slow_answer = Rule(operation="UpdateInstancePool", reply_latency_seconds=3, count=1)
    node.server.world.faults = Faults(metrics_per_second=None, rules=(slow_answer,))
    node.start(yaml)
    node.demand(390)
    until(lambda: node.resizes() or node.size() == 5)
    node.kill()

    node.start(yaml)
    node.let_pass(timedelta(minutes=7))
    assert node.size() == 5
    assert [size for _, size in node.resizes()] == [5]
    steps = [r for r in node.records() if r.get("scaling_event") == "SCALE_OUT"]
    assert len(steps) == 1
    assert "reading back" in steps[0]["scaling_reason"]


@pytest.mark.slow
def test_fault_10_and_11_killed_again_and_again_it_steps_once_per_cooldown(node: Node) -> None:
    cooldown = timedelta(minutes=4)
    yaml = config_yaml(
        pool_yaml(
            "web",
            policies=POLICIES,
            limits="{min: 2, max: 8}",
            cooldown="{scale_out: 4m, scale_in: 4m}",
            stabilization="{scale_out: 0s, scale_in: 0s}",
        )
    )
    chance = random.Random(7)
    for life in range(8):
        node.demand(chance.choice([60, 780, 390]))
        node.start(yaml if life == 0 else None)
        until(lambda: len([m for m in node.told() if m == "READY=1"]) > 0)
        node.messages.clear()
        node.let_pass(timedelta(seconds=chance.uniform(5, 150)))
        node.kill()
        assert not list(node.state.glob("*.corrupt-*"))
    changes = node.resizes()
    assert changes
    assert too_soon(changes, cooldown) == []
    assert all(2 <= size <= 8 for _, size in changes)
    told = [
        r["decision"]["to"]
        for r in node.records()
        if r.get("scaling_event", "").startswith("SCALE_")
    ]
    assert told == [size for _, size in changes][: len(told)]
    assert len(changes) - len(told) <= 1, "the last one may be read back in the next life"
