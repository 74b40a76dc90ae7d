"""A live run, decided again from its recorded inputs: `poolkeeper decide` says the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from poolkeeper.commands_decide import decide
from tests.agent.rig import Rig, config_yaml, pool_yaml

POLICIES = (
    "[{name: cpu, type: target_tracking, metric: CpuUtilization, target: 50},"
    " {name: memory, type: step, metric: MemoryUtilization,"
    " scale_out: {for: 2m, steps: [{above: 80, add: 1}]}}]"
)


def again(config: Path, seen: dict[str, Any], memory: object) -> dict[str, Any]:
    given = json.dumps({**seen, "memory": memory})
    words = ["--config", str(config), "--pool", "web", "--input", "-", "--json"]
    result = CliRunner().invoke(decide, words, input=given)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.slow
def test_feeding_memory_back_repeats_a_live_run_decision_by_decision(
    rig: Rig, tmp_path: Path
) -> None:
    rig.add_pool("web", size=2, demand=90, jitter=0.05)
    trace = tmp_path / "trace.jsonl"
    agent = rig.agent(
        config_yaml(pool_yaml("web", policies=POLICIES, warmup="1m")), trace_file=trace
    )
    for demand, minutes in ((90, 3), (420, 10), (900, 8), (60, 20)):
        rig.demand("web", demand)
        rig.run(agent, minutes)
    agent.close()

    lines = [json.loads(line) for line in trace.read_text("utf-8").splitlines()]
    actions = [line["decision"]["action"] for line in lines]
    assert "scale_out" in actions
    assert "scale_in" in actions
    memory = lines[0]["memory_before"]
    for number, line in enumerate(lines):
        answer = again(tmp_path / "config.yaml", line["observation"], memory)
        memory = answer["memory"]
        expected = line["decision"]
        assert {name: answer[name] for name in expected} == expected, f"tick {number}"
