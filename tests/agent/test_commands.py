"""`poolkeeper agent plan` and `check`, as an operator types them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.commands import agent
from simulator.faults import Rule
from tests.agent.rig import NOON, Rig, config_yaml, pool_yaml


class Node:
    """The environment of a node, for commands in this process."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        wall = "2026-01-01T00:00:00+00:00"
        self.env = {
            "POOLKEEPER_STATE_DIR": str(rig.home / "state"),
            "POOLKEEPER_OCI_AUTH": "config_file",
            "POOLKEEPER_OCI_CONFIG_FILE": str(rig.key.config_file),
            "POOLKEEPER_OCI_ENDPOINT": rig.server.url,
            "POOLKEEPER_CLOCK": f"scale=0.000001;simulated={NOON.isoformat()};wall={wall}",
        }

    def run(self, *words: str, yaml: str | None = None, **env: str) -> Result:
        arguments = list(words)
        if yaml is not None:
            path = self.rig.home / "config.yaml"
            path.write_text(yaml)
            arguments += ["--config", str(path)]
        return CliRunner().invoke(agent, arguments, env={**self.env, **env})

    def json(self, *words: str, yaml: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run(*words, "--json", yaml=yaml).stdout)
        return found


@pytest.fixture
def node(rig: Rig) -> Node:
    return Node(rig)


WEB = config_yaml(pool_yaml("web", limits="{min: 3, max: 9}"))


def test_plan_shows_what_would_happen_and_why_and_changes_nothing(node: Node) -> None:
    node.rig.add_pool("web", size=2)
    result = node.run("plan", yaml=WEB)
    assert result.exit_code == 0, result.output
    assert "→ 3" in result.output
    assert "below the floor" in " ".join(result.output.split())
    assert node.rig.size("web") == 2
    assert "UpdateInstancePool" not in node.rig.requests()
    assert not (node.rig.home / "state").exists(), "a plan leaves no trace"

    (row,) = node.json("plan", yaml=WEB)
    assert (row["pool"], row["action"], row["current"], row["desired"]) == (
        "web",
        "scale_out",
        2,
        3,
    )
    assert row["reasons"][-1]["code"] == "scale_out"


def test_plan_says_no_when_a_pool_cannot_be_seen(node: Node) -> None:
    node.rig.add_pool("other")
    result = node.run("plan", yaml=WEB)
    assert result.exit_code == 1
    assert "not" in result.output


def test_plan_uses_the_memory_of_the_agent_that_runs_here(node: Node) -> None:
    node.rig.add_pool("web", size=4, demand=200)
    running = node.rig.agent(WEB)
    node.rig.run(running, minutes=2)
    (row,) = node.json("plan")
    assert row["current"] == 4
    running.tick()
    assert running.outbox.pending() > 0


def test_without_any_configuration_plan_says_what_to_give(node: Node) -> None:
    result = node.run("plan")
    assert result.exit_code == 2
    assert "--config" in result.output


def test_a_broken_configuration_is_told_with_line_and_column(node: Node) -> None:
    result = node.run("plan", yaml="version: 1\npools: [{nme: x}]\n")
    assert result.exit_code == 2
    assert "line 2" in result.output


def test_a_missing_setting_is_one_clear_sentence(node: Node) -> None:
    result = node.run("plan", POOLKEEPER_STATE_DIR="")
    assert result.exit_code == 2
    assert "POOLKEEPER_STATE_DIR" in result.output
    assert "Traceback" not in result.output


def test_check_proves_every_permission(node: Node) -> None:
    node.rig.add_pool("web", size=3)
    result = node.run("check", yaml=WEB)
    assert result.exit_code == 0, result.output
    for proof in ("list pools", "read metrics", "members", "resize: allowed", "work requests"):
        assert proof in result.output
    assert node.rig.size("web") == 3


STATEMENTS = {
    "ListInstancePools": "read instance-pools",
    "SummarizeMetricsData": "read metrics",
    "GetInstancePool": "read instance-pools",
    "ListInstancePoolInstances": "read instance-pools",
    "UpdateInstancePool": "'INSTANCE_POOL_UPDATE'",
    "ListWorkRequests": "inspect work-requests",
}


@pytest.mark.parametrize(("operation", "statement"), STATEMENTS.items(), ids=STATEMENTS.keys())
def test_check_prints_the_statement_that_is_missing(
    node: Node, operation: str, statement: str
) -> None:
    node.rig.add_pool("web", size=3)
    node.rig.break_with(forbidden={operation: 404})
    result = node.run("check", yaml=WEB)
    assert result.exit_code == 1
    assert statement in result.output
    assert "FAIL" in result.output


def test_check_tells_a_wrong_ocid_from_a_missing_permission(node: Node) -> None:
    node.rig.add_pool("other")
    findings = node.json("check", yaml=WEB)
    (wrong,) = [finding for finding in findings if finding["what"] == "pool web"]
    assert "wrong OCID" in wrong["text"]


def test_check_explains_a_401(node: Node) -> None:
    node.rig.add_pool("web")
    node.rig.break_with(rules=[Rule(status=401)])
    result = node.run("check", yaml=WEB)
    assert result.exit_code == 1
    assert "clock" in result.output


def test_check_says_when_central_does_not_answer(node: Node, tmp_path: Path) -> None:
    node.rig.add_pool("web", size=3)
    result = node.run(
        "check",
        yaml=WEB,
        POOLKEEPER_CENTRAL_URL="http://127.0.0.1:1",
        POOLKEEPER_API_KEY="pk_node_secret",
    )
    assert result.exit_code == 1
    assert "http://127.0.0.1:1 does not answer" in result.output
    assert "pk_node_secret" not in result.output
