"""Commands that edit a node's YAML, or many nodes' alike, against a real central."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poolkeeper.cli import cli
from shared.config.hashing import config_hash
from shared.config.loader import load
from tests import postgres
from tests.central_server import RunningCentral, eventually, running_central
from tests.heartbeats import CONFIG, WEB, analytics, beat


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as running:
        yield running


class Bench:
    """A central with one node that is heard, and the command line of an operator."""

    def __init__(self, central: RunningCentral, home: Path) -> None:
        self.central = central
        token = central.operator("DEVOPS").headers["Authorization"].removeprefix("Bearer ")
        self._environment = {
            "POOLKEEPER_CENTRAL_URL": central.url,
            "POOLKEEPER_TOKEN": token,
            "POOLKEEPER_CONFIG_DIR": str(home),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }
        self.home = home
        self.keys = {"n1": central.create_node("n1")}
        central.push("n1", CONFIG)
        self.beat("n1", 1, size=12)

    def __call__(self, *words: str) -> Result:
        return CliRunner(env=self._environment).invoke(cli, list(words))

    def ok(self, *words: str) -> str:
        done = self(*words)
        assert done.exit_code == 0, done.output
        return done.stdout

    def text(self, node: str = "n1") -> str:
        return str(self.central.operator().get(f"/v1/nodes/{node}/config").text)

    def beat(self, node: str, number: int, *, size: int, ocid: str = WEB) -> None:
        active = self.central.operator().get(f"/v1/nodes/{node}").json()["active_hash"]
        report = {"running_hash": active, "received_hash": active, "status": "applied"}
        record = analytics(number, current_instances=size, oracle_pool_id=ocid)
        with self.central.client(self.keys[node]) as agent:
            answer = agent.post("/v1/heartbeat", json=beat(number, record, config=report))
        assert answer.status_code == 200

    def second_node(self) -> None:
        self.keys["n2"] = self.central.create_node("n2")
        self.central.push("n2", CONFIG.replace(WEB, WEB + "2"))
        self.beat("n2", 1, size=3, ocid=WEB + "2")


@pytest.fixture
def bench(cluster: postgres.Cluster, tmp_path: Path) -> Iterator[Bench]:
    with running_central(cluster.new_database()) as central:
        yield Bench(central, tmp_path)


def test_a_pool_is_held_at_a_size_for_a_while(bench: Bench) -> None:
    words = ("pool", "override", "n1/web", "--target", "14", "--for", "2h", "--reason", "load test")
    shown = bench.ok(*words, "--dry-run")
    assert "+overrides:" in shown
    assert bench.text() == CONFIG
    assert "n1 is at generation 2" in bench.ok(*words)
    (override,) = load(bench.text()).overrides
    assert (override.pool, override.target_instances, override.reason) == ("web", 14, "load test")
    assert bench.text().startswith(CONFIG)
    bench.ok("pool", "override", "web", "--end")
    assert bench.text() == CONFIG


def test_an_override_that_terminates_instances_asks_first(bench: Bench) -> None:
    words = ("pool", "override", "n1/web", "--target", "4", "--for", "1h", "--reason", "x")
    refused = bench(*words)
    assert (refused.exit_code, "--allow-shrink 8" in refused.stderr) == (1, True)
    assert "It would terminate 8 of 12" in bench.ok(*words, "--dry-run")
    bench.ok(*words, "--allow-shrink", "8")


USAGE = {
    "no target": ("pool", "override", "n1/web", "--for", "1h", "--reason", "x"),
    "end and target": ("pool", "override", "n1/web", "--end", "--target", "3"),
    "no limits": ("pool", "limits", "n1/web"),
    "no nodes": ("config", "patch", "--set", "timezone=UTC"),
    "two kinds of nodes": ("config", "patch", "--all", "--nodes", "n1", "--set", "timezone=UTC"),
    "no change": ("config", "patch", "--all"),
    "no value": ("config", "patch", "--all", "--set", "timezone"),
    "a broken value": ("config", "patch", "--all", "--set", "pools.*.limits={min"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_says_what_is_missing(bench: Bench, name: str) -> None:
    done = bench(*USAGE[name])
    assert (done.exit_code, done.stderr != "") == (2, True)


def test_a_pool_is_paused_observed_and_activated(bench: Bench) -> None:
    for command, mode in (("pause", "paused"), ("observe", "observe"), ("activate", "active")):
        assert f"+    mode: {mode}" in bench.ok("pool", command, "n1/web")
        assert load(bench.text()).pools[0].mode == mode
    assert "is so already" in bench.ok("pool", "activate", "n1/web")


def test_limits_are_changed(bench: Bench) -> None:
    made = json.loads(bench.ok("pool", "limits", "n1/web", "--max", "30", "--json"))
    assert (made["generation"], made["changed"]) == (2, True)
    assert bench.text() == CONFIG.replace("max: 20", "max: 30")


def test_a_pool_that_is_not_there_or_not_alone(bench: Bench) -> None:
    done = bench("pool", "pause", "db")
    assert (done.exit_code, "There is no pool 'db'" in done.stderr) == (1, True)
    bench.second_node()
    done = bench("pool", "pause", "web")
    assert (done.exit_code, "say one of n1/web, n2/web" in done.stderr) == (1, True)


def test_schedules_are_added_suspended_resumed_and_removed(bench: Bench) -> None:
    words = ("--start", "08:00", "--end", "18:00", "--target", "6", "--days", "mon-fri")
    bench.ok("schedule", "add", "n1", "office", *words, "--pools", "web", "--ready-early", "5m")
    (schedule,) = load(bench.text()).schedules
    assert (schedule.name, schedule.start, schedule.pools) == ("office", 480, ["web"])
    bench.ok("schedule", "suspend", "n1", "office")
    assert not load(bench.text()).schedules[0].active
    bench.ok("schedule", "resume", "n1", "office")
    assert load(bench.text()).schedules[0].active
    bench.ok("schedule", "remove", "n1", "office")
    assert bench.text() == CONFIG
    done = bench("schedule", "add", "n1", "bad", *words[:4], "--target", "99")
    assert (done.exit_code, "outside" in done.stderr or "limits" in done.stderr) == (1, True)


def test_a_whole_file_is_for_one_node(bench: Bench) -> None:
    file = bench.home / "config.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    for nodes in (("n1", "n2"), ("n1,n2",)):
        done = bench("config", "push", *nodes, str(file))
        assert (done.exit_code, "A whole file is for one node" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_patch_is_shown_rolled_out_and_waited_for(bench: Bench) -> None:
    bench.second_node()
    words = ("config", "patch", "--nodes", "n1,n2", "--set", "pools.*.limits.max=30")
    shown = bench.ok(*words, "--dry-run")
    assert shown.count("+    limits: {min: 2, max: 30}") == 2
    assert "2 of 2 nodes change, in 2 stages" in shown
    assert bench.text() == CONFIG
    done: list[Result] = []
    waiting = threading.Thread(target=lambda: done.append(bench(*words, "--wait")))
    waiting.start()
    number = 2
    while waiting.is_alive():
        for node, ocid in (("n1", WEB), ("n2", WEB + "2")):
            bench.beat(node, number, size=3, ocid=ocid)
        number += 1
        waiting.join(0.1)
    assert done[0].exit_code == 0, done[0].output
    assert "n1 applied" in done[0].stdout
    assert "Rollout 1 is done." in done[0].stdout
    assert "max: 30" in bench.text("n2")
    assert "2 applied" in bench.ok("rollout", "list")
    assert [node["state"] for node in json.loads(bench.ok("rollout", "show", "1", "--json"))[
        "nodes"
    ]] == ["applied", "applied"]  # fmt: skip


def test_a_patch_that_fits_not_every_node_names_each(bench: Bench) -> None:
    bench.second_node()
    bench.central.push("n2", CONFIG.replace(WEB, WEB + "2").replace("name: web", "name: api"))
    done = bench("config", "patch", "--all", "--set", "pools.web.mode=paused", "--unset", "x.y")
    assert done.exit_code == 1
    assert "n2: there is no pool 'web'" in done.stderr
    assert bench.text() == CONFIG


def test_a_rollout_is_halted_and_resumed(bench: Bench) -> None:
    bench.second_node()
    bench.ok("config", "patch", "--all", "--set", "timezone=Europe/Berlin")
    assert "Rollout 1 is halted" in bench.ok("rollout", "halt", "1")
    assert bench("rollout", "halt", "1").exit_code == 1
    assert "Rollout 1 is running" in bench.ok("rollout", "resume", "1")


def test_what_a_node_runs_is_adopted(bench: Bench) -> None:
    newer = CONFIG + "# newer\n"
    report = {"running_hash": config_hash(newer), "status": "applied", "generation": 7}
    fields = {"config": report, "capabilities": ["running_config"]}
    with bench.central.client(bench.keys["n1"]) as agent:
        agent.post("/v1/heartbeat", json=beat(2, **fields))
        listed = bench.ok("node", "list")
        assert "central is behind: the node has applied generation 7" in listed
        assert "poolkeeper config adopt n1" in listed
        assert bench("status").exit_code == 1
        late = bench("config", "adopt", "n1", "--wait", "0s")
        assert (late.exit_code, "has not sent its configuration yet" in late.stderr) == (1, True)
        done: list[Result] = []
        waiting = threading.Thread(target=lambda: done.append(bench("config", "adopt", "n1")))
        waiting.start()
        asked, number = False, 3
        while waiting.is_alive():
            sends = {"running_config": newer} if asked else {}
            answer = agent.post("/v1/heartbeat", json=beat(number, **fields, **sends)).json()
            asked, number = answer["wants_config"], number + 1
            waiting.join(0.1)
    assert done[0].exit_code == 0, done[0].output
    assert "is its active configuration now, as generation 8" in done[0].stdout
    assert bench.text() == newer


def test_what_cannot_be_used_is_not_adopted(bench: Bench) -> None:
    bad = "version: 1\npools: 7\n"
    report = {"running_hash": config_hash(bad), "status": "applied"}
    fields = {"config": report, "capabilities": ["running_config"]}
    with bench.central.client(bench.keys["n1"]) as agent:
        agent.post("/v1/heartbeat", json=beat(2, **fields))
        bench("config", "adopt", "n1", "--wait", "0s")
        agent.post("/v1/heartbeat", json=beat(3, running_config=bad, **fields))
        eventually(
            lambda: (
                bench.central.operator().get("/v1/nodes/n1/config/adopt").json()["state"]
                == "refused"
            )
        )
    assert bench.text() == CONFIG
