"""Two live agents of one central and one pool: at any time one of them sizes it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from agent.service import Agent
from agent.status import status_document
from tests import postgres
from tests.agent.rig import Rig, config_yaml, pool_yaml
from tests.central_server import YAML, RunningCentral, running_central
from tests.whole.fleet import Reached

pytestmark = pytest.mark.slow

FAST = {"cooldown": "{scale_out: 1m, scale_in: 1m}", "stabilization": "{scale_out: 0s}"}
WEB = config_yaml(pool_yaml("web", **FAST))


@dataclass
class Node:
    """A node with its agent."""

    name: str
    agent: Agent
    reached: Reached


@dataclass
class Scene:
    """One central, one tenancy, two nodes."""

    rig: Rig
    central: RunningCentral
    nodes: dict[str, Node]

    def push(self, node: str, yaml: str = WEB, **options: bool) -> httpx.Response:
        path = f"/v1/nodes/{node}/config"
        body = yaml.encode()
        return self.central.operator().put(path, content=body, params=options, headers=YAML)

    def run(self, minutes: float, *, heard: str = "n1 n2", alive: str = "n1 n2") -> None:
        """Let time pass; only some are alive, and only some of those reach central."""
        for _ in range(round(minutes * 2)):
            self.rig.world.advance(30)
            for name in alive.split():
                self.nodes[name].agent.tick()
                if name in heard.split():
                    self.nodes[name].agent.beat()

    def writes(self) -> int:
        """How many resizes OCI accepted so far."""
        entries = self.rig.world.requests.entries
        return [e.status for e in entries if e.operation == "UpdateInstancePool"].count(200)

    def scaled(self, node: str) -> list[str]:
        """The resizes that central has of a node."""
        rows = self.central.rows(
            "SELECT scaling_event FROM pool_analytics a JOIN nodes n ON n.id = a.node_id "
            "WHERE n.name = :node AND scaling_event LIKE 'SCALE%' ORDER BY a.timestamp",
            node=node,
        )
        return [row["scaling_event"] for row in rows]


@pytest.fixture
def scene(rig: Rig, cluster: postgres.Cluster, tmp_path: Path) -> Iterator[Scene]:
    with running_central(cluster.new_database()) as central:
        nodes = {}
        for name in ("n1", "n2"):
            home = tmp_path / name
            home.mkdir()
            reached = Reached(rig)
            reached.key = central.create_node(name)
            reached.at(central.url)
            own = replace(rig, home=home)
            nodes[name] = Node(name, own.agent(central=reached, state_dir=home / "state"), reached)
        scene = Scene(rig, central, nodes)
        rig.add_pool("web", size=2, demand=90)
        assert scene.push("n1").status_code == 200
        scene.run(2)
        yield scene
        for node in nodes.values():
            node.agent.close()
            node.reached.close()


def lost(scene: Scene, node: str) -> None:
    scene.central.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = :node", node=node)


def test_a_pool_of_a_living_node_is_not_given_to_another(scene: Scene) -> None:
    for take_over in (False, True):
        refused = scene.push("n2", take_over=take_over)
        assert (refused.status_code, refused.json()["code"]) == (409, "pool_owned")
    scene.rig.demand("web", 190)
    scene.run(8)
    assert scene.rig.size("web") == 4
    assert (scene.scaled("n1"), scene.scaled("n2")) == (["SCALE_OUT"], [])


def test_a_pool_is_claimed_once_its_owner_runs_without_it(scene: Scene) -> None:
    assert scene.push("n1", config_yaml()).status_code == 200
    assert scene.push("n2").status_code == 409, "n1 has not heard of it yet"
    scene.run(1)
    assert scene.push("n2").status_code == 200
    scene.rig.demand("web", 190)
    scene.run(8)
    assert scene.rig.size("web") == 4
    assert (scene.scaled("n1"), scene.scaled("n2")) == ([], ["SCALE_OUT"])


@pytest.mark.fault(21)
def test_of_two_agents_on_one_key_only_one_sizes_the_pool(scene: Scene) -> None:
    clone = scene.nodes["n2"]
    clone.reached.key = scene.nodes["n1"].reached.key
    scene.run(4)
    scene.rig.demand("web", 190)
    scene.run(8)
    assert scene.rig.size("web") == 4
    assert scene.writes() == 1
    restrained = [
        report.restraint.code
        for node in scene.nodes.values()
        for report, _ in node.agent.board.pools().values()
        if report.restraint is not None
    ]
    assert restrained == ["OWNED_ELSEWHERE"], "one of the two only observes"
    told = scene.central.rows(
        "SELECT 1 FROM node_lifecycle_logs WHERE event_type = 'DUPLICATE_AGENT'"
    )
    assert len(told) == 1
    assert all(status_document(node.agent)["central"]["duplicate"] for node in scene.nodes.values())


@pytest.mark.fault(21)
def test_a_cloned_machine_loses_no_history_once_it_is_known(scene: Scene, tmp_path: Path) -> None:
    original = scene.nodes["n1"]
    shutil.copytree(tmp_path / "n1" / "state", tmp_path / "clone" / "state")
    own = replace(scene.rig, home=tmp_path / "clone")
    clone = own.agent(central=original.reached, state_dir=tmp_path / "clone" / "state")
    scene.nodes["n2"].agent.close()
    scene.nodes["n2"] = replace(scene.nodes["n2"], agent=clone)
    assert clone.outbox.stream_id == original.agent.outbox.stream_id
    scene.run(4)
    assert clone.outbox.stream_id != original.agent.outbox.stream_id
    stored = _samples(scene)
    for _ in range(10):
        scene.run(0.5)
        for agent in (original.agent, clone):
            agent.report_node()
    scene.run(1)
    assert _samples(scene) - stored == 2 * 10


def _samples(scene: Scene) -> int:
    (row,) = scene.central.rows("SELECT count(*) AS n FROM metrics WHERE metric_type = 'node_cpu'")
    return int(row["n"])


@pytest.mark.fault(43)
def test_a_taken_over_pool_is_sized_by_one_of_two_living_agents(scene: Scene) -> None:
    lost(scene, "n1")  # it lives, and does not reach central
    assert scene.push("n2", take_over=True).status_code == 200
    scene.rig.demand("web", 190)
    scene.run(8, heard="n2")
    assert scene.rig.size("web") == 4
    assert scene.writes() == 1, "both wanted it, and one step was made"

    scene.run(1)  # n1 is heard again, hears whose the pool is, and tells what it did before
    assert len(scene.scaled("n1") + scene.scaled("n2")) == 1
    scene.rig.demand("web", 290)
    scene.run(8)
    assert scene.rig.size("web") == 6
    assert scene.writes() == 2
    assert scene.scaled("n2")[-1] == "SCALE_OUT"
