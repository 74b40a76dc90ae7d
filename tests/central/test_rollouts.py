"""Rollouts: shown for every node, checked for all, pushed in stages, halted by a failure."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from central.rollout import drive, step
from shared.config.hashing import config_hash
from tests.central_server import RunningCentral, eventually
from tests.heartbeats import CONFIG, WEB, analytics, beat

MAX_30 = [{"kind": "set", "path": "pools.*.limits.max", "value": 30}]


def config(number: int) -> str:
    return CONFIG.replace(WEB, f"{WEB}{number}")


class Fleet:
    """Nodes n1 … with one pool each, and agents that take what they are given when told to."""

    def __init__(self, store: RunningCentral, count: int, stack: ExitStack) -> None:
        self.store = store
        self.names = [f"n{number}" for number in range(1, count + 1)]
        self._agents = {}
        self._beats: dict[str, int] = {}
        for number, name in enumerate(self.names, 1):
            self._agents[name] = stack.enter_context(store.client(store.create_node(name)))
            store.push(name, config(number))
            self.beat(name)
            size = analytics(1, oracle_pool_id=f"{WEB}{number}", current_instances=12)
            self.beat(name, size)

    def beat(self, name: str, *records: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Send a heartbeat of an agent that applied what it was given; returns the answer."""
        number = self._beats[name] = self._beats.get(name, 0) + 1
        active = self.store.operator().get(f"/v1/nodes/{name}").json()["active_hash"]
        report = {"running_hash": active, "received_hash": active, "status": "applied"}
        body = beat(number, *records, **{"config": report, **fields})
        answer = self._agents[name].post("/v1/heartbeat", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refuse(self, name: str, why: str) -> None:
        active = self.store.operator().get(f"/v1/nodes/{name}").json()["active_hash"]
        report = {"running_hash": None, "failed_hash": active, "status": "failed", "error": why}
        self.beat(name, config=report)

    def ask(self, **body: Any) -> httpx.Response:
        request = {"nodes": self.names, "edits": MAX_30, **body}
        return self.store.operator().post("/v1/rollouts", json=request)

    def start(self, **body: Any) -> int:
        answer = self.ask(**body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def show(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.store.operator().get(f"/v1/rollouts/{number}").json()
        return found

    def states(self, number: int) -> dict[str, str]:
        """Of every node, after all that is due was done."""
        drive(self.store.whole.engine)
        return {node["node"]: node["state"] for node in self.show(number)["nodes"]}

    def maxima(self) -> list[int]:
        rows = self.store.rows("SELECT max_instances FROM pools ORDER BY oracle_pool_id")
        return [row["max_instances"] for row in rows]


@pytest.fixture
def fleet(central: RunningCentral) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(central, 3, stack)


def test_a_dry_run_shows_a_diff_for_every_node_and_changes_nothing(fleet: Fleet) -> None:
    edits = [{"kind": "set", "path": "pools.web.limits.max", "value": 3}]
    plan = fleet.ask(edits=edits, dry_run=True, batch=2).json()
    assert (plan["id"], plan["stages"], plan["terminates"]) == (None, 2, 27)
    assert [node["node"] for node in plan["nodes"]] == fleet.names
    for node in plan["nodes"]:
        assert node["terminates"] == [{"pool": "web", "terminates": 9, "of": 12}]
        assert f"--- {node['node']}\n" in node["diff"]
        assert "+    limits: {min: 2, max: 3}" in node["diff"]
    assert fleet.maxima() == [20, 20, 20]
    assert fleet.store.rows("SELECT * FROM rollouts") == []


def test_stages_wait_for_every_acknowledgement(fleet: Fleet) -> None:
    number = fleet.start(batch=2)
    assert fleet.states(number) == {"n1": "pushed", "n2": "pushed", "n3": "waiting"}
    assert fleet.maxima() == [30, 30, 20]
    fleet.beat("n1")
    assert fleet.states(number) == {"n1": "applied", "n2": "pushed", "n3": "waiting"}
    fleet.beat("n2")
    assert fleet.states(number) == {"n1": "applied", "n2": "applied", "n3": "pushed"}
    fleet.beat("n3")
    assert set(fleet.states(number).values()) == {"applied"}
    done = fleet.show(number)
    assert (done["state"], done["counts"], done["stage"]) == ("done", {"applied": 3}, 2)
    assert fleet.maxima() == [30, 30, 30]
    actions = fleet.store.rows(
        "SELECT action, user_email FROM audit_logs WHERE category = 'CONFIG' AND "
        "(resource_type = 'rollout' OR details LIKE '%rollout%') ORDER BY id"
    )
    assert [row["action"] for row in actions] == [
        "ROLLOUT_STARTED",
        *3 * ["CONFIG_PUSHED"],
        "ROLLOUT_DONE",
    ]
    assert {row["user_email"] for row in actions[:4]} == {"admin@example.com"}


def test_central_goes_on_by_itself(fleet: Fleet) -> None:
    number = fleet.start(batch=3)
    eventually(lambda: fleet.show(number)["counts"] == {"pushed": 3})
    for name in fleet.names:
        fleet.beat(name)
    eventually(lambda: fleet.show(number)["state"] == "done")


def test_a_refused_configuration_halts_it_and_resume_tries_again(fleet: Fleet) -> None:
    number = fleet.start(batch=1)
    fleet.states(number)
    fleet.refuse("n1", "not today")
    assert fleet.states(number) == {"n1": "failed", "n2": "waiting", "n3": "waiting"}
    halted = fleet.show(number)
    assert halted["state"] == "halted"
    assert halted["reason"] == "n1: it refused the configuration: not today"
    assert fleet.maxima() == [30, 20, 20]
    resumed = fleet.store.operator().post(f"/v1/rollouts/{number}/resume").json()
    assert resumed["state"] == "running"
    offered = fleet.store.rows("SELECT retry_offers FROM node_state ORDER BY node_id")
    assert [row["retry_offers"] for row in offered] == [3, 0, 0]


@pytest.mark.parametrize("status", ["OFFLINE", "ERROR"])
def test_a_node_that_falls_silent_or_ill_halts_it(fleet: Fleet, status: str) -> None:
    number = fleet.start(batch=1)
    fleet.states(number)
    fleet.store.execute(
        "UPDATE nodes SET status = CAST(:s AS node_status) WHERE name='n1'", s=status
    )
    fleet.states(number)
    assert fleet.show(number)["reason"] == f"n1: it went {status}"


def test_a_node_that_is_silent_when_its_turn_comes_halts_it(fleet: Fleet) -> None:
    number = fleet.start(batch=1)
    fleet.store.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n2'")
    fleet.states(number)
    fleet.beat("n1")
    assert fleet.states(number)["n2"] == "failed"
    assert fleet.show(number)["state"] == "halted"
    assert fleet.maxima() == [30, 20, 20]
    fleet.beat("n2")  # it is back, still with what it had
    fleet.store.operator().post(f"/v1/rollouts/{number}/resume")
    assert fleet.states(number)["n2"] == "pushed"


def test_the_deadline_halts_it(fleet: Fleet) -> None:
    number = fleet.start(batch=1, deadline_seconds=60)
    fleet.states(number)
    fleet.store.execute("UPDATE rollout_nodes SET pushed_at = pushed_at - interval '61 s'")
    fleet.states(number)
    assert "has not applied the configuration within 60 s" in fleet.show(number)["reason"]


def test_what_somebody_else_changed_is_skipped_and_not_overwritten(fleet: Fleet) -> None:
    number = fleet.start(batch=1)
    theirs = config(2) + "# theirs\n"
    fleet.store.push("n2", theirs)
    fleet.states(number)
    fleet.beat("n1")
    assert fleet.states(number) == {"n1": "applied", "n2": "skipped", "n3": "pushed"}
    assert fleet.store.operator().get("/v1/nodes/n2/config").text == theirs
    (skipped,) = [node for node in fleet.show(number)["nodes"] if node["node"] == "n2"]
    assert "was changed by somebody else" in skipped["reason"]


def test_a_push_on_top_of_it_is_no_failure(fleet: Fleet) -> None:
    number = fleet.start(batch=3)
    fleet.states(number)
    fleet.store.push("n2", config(2) + "# theirs\n")
    assert fleet.states(number)["n2"] == "skipped"
    assert fleet.show(number)["state"] == "running"


def test_an_operator_halts_and_resumes(fleet: Fleet) -> None:
    number = fleet.start(batch=1)
    fleet.states(number)
    operator = fleet.store.operator()
    assert operator.post(f"/v1/rollouts/{number}/resume").status_code == 409
    assert operator.post(f"/v1/rollouts/{number}/halt").json()["state"] == "halted"
    assert operator.post(f"/v1/rollouts/{number}/halt").status_code == 409
    fleet.beat("n1")
    assert fleet.states(number)["n2"] == "waiting"
    operator.post(f"/v1/rollouts/{number}/resume")
    assert fleet.states(number) == {"n1": "applied", "n2": "pushed", "n3": "waiting"}


def test_a_loss_must_be_agreed_to_beforehand_and_holds_on_the_way(fleet: Fleet) -> None:
    edits = [{"kind": "set", "path": "pools.web.limits.max", "value": 10}]
    refused = fleet.ask(edits=edits)
    assert (refused.status_code, refused.json()["code"]) == (409, "shrinks")
    assert "terminates 6 instances now" in refused.text
    number = fleet.start(edits=edits, allow_shrink=6, batch=1)
    fleet.states(number)
    assert fleet.show(number)["terminated"] == 2
    fleet.store.execute("UPDATE pools SET current_instances = 40 WHERE oracle_pool_id LIKE '%2'")
    fleet.beat("n1")
    fleet.states(number)
    halted = fleet.show(number)
    assert (halted["state"], halted["counts"]) == (
        "halted",
        {"applied": 1, "failed": 1, "waiting": 1},
    )
    assert "terminates 30 of 40 instances in web now" in halted["reason"]


def test_all_are_validated_before_any_is_changed(fleet: Fleet) -> None:
    fleet.store.push("n2", config(2).replace("min: 2", "min: 15"))
    fleet.store.push("n3", config(3).replace("name: web", "name: api"))
    edits = [{"kind": "set", "path": "pools.web.limits.max", "value": 14}]
    refused = fleet.ask(nodes=[*fleet.names, "n9"], edits=edits)
    assert refused.status_code == 422
    problems = {p["node"]: p["message"] for p in refused.json()["details"]}
    assert problems == {
        "n9": "there is no such node",
        "n2": "min (15) is above max (14)",
        "n3": "there is no pool 'web'",
    }
    assert refused.json()["error"].startswith("Nothing was changed, because 3 nodes cannot take")


def test_nodes_that_cannot_acknowledge_are_refused_or_left_out(fleet: Fleet) -> None:
    fleet.store.execute("UPDATE nodes SET status = 'OFFLINE' WHERE name = 'n2'")
    refused = fleet.ask()
    assert (refused.status_code, "n2: it is OFFLINE" in refused.text) == (422, True)
    number = fleet.start(skip_silent=True)
    assert [node["node"] for node in fleet.show(number)["nodes"]] == ["n1", "n3"]


def test_a_region_or_all(fleet: Fleet) -> None:
    fleet.store.create_node("far", "us-ashburn-1")
    everybody = fleet.ask(nodes=[], all=True, dry_run=True).json()["nodes"]
    assert {node["node"]: node["state"] for node in everybody} == {
        "far": "left_out",
        "n1": "changes",
        "n2": "changes",
        "n3": "changes",
    }
    here = fleet.ask(nodes=[], region="eu-frankfurt-1", dry_run=True).json()["nodes"]
    assert len(here) == 3
    wrongs: list[dict[str, Any]] = [{"nodes": []}, {"all": True}, {"region": "r1"}]
    for wrong in wrongs:
        assert fleet.ask(**wrong).status_code == 422


def test_there_may_be_nothing_to_do(fleet: Fleet) -> None:
    same = [{"kind": "set", "path": "pools.*.limits.max", "value": 20}]
    assert fleet.ask(edits=same).json()["code"] == "unchanged"


def test_two_replicas_push_to_each_node_once(fleet: Fleet) -> None:
    number = fleet.start(batch=3)
    engine = fleet.store.whole.engine
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: step(engine, number), range(40)))
    assert set(fleet.states(number).values()) == {"pushed"}
    rows = fleet.store.rows("SELECT node_id, count(*) AS n FROM node_configurations GROUP BY 1")
    assert {row["n"] for row in rows} == {2}


def test_a_list_of_rollouts(fleet: Fleet) -> None:
    first, second = fleet.start(), fleet.ask(nodes=["n3"]).json()["id"]
    listed = fleet.store.operator().get("/v1/rollouts").json()
    assert [one["id"] for one in listed] == [second, first]
    older = fleet.store.operator().get("/v1/rollouts", params={"before": second}).json()
    assert [one["id"] for one in older] == [first]
    assert fleet.store.operator().get("/v1/rollouts/99").status_code == 404
    hashes = {node["config_hash"] for node in fleet.show(first)["nodes"]}
    assert config_hash(config(1).replace("max: 20", "max: 30")) in hashes


def test_a_node_whose_agent_is_too_old_for_a_key_is_told_before_anything_is_pushed(
    fleet: Fleet,
) -> None:
    fleet.beat("n2", capabilities=["config.v1"], agent_version="0.9.0")
    policy = {"name": "cpu", "type": "target_tracking", "metric": "CpuUtilization"}
    policies = [{**policy, "target": 60, "headroom": 1}]
    answer = fleet.ask(edits=[{"kind": "set", "path": "pools.web.policies", "value": policies}])
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["details"]
    assert problem["node"] == "n2"
    assert "too old for pools[0].policies[0].headroom" in problem["message"]
    assert fleet.store.rows("SELECT * FROM rollouts") == []
