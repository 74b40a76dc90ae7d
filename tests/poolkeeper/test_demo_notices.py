"""The demo is a check: with a part of it broken it must fail, and say which check failed."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("sabotage", ["kill-agent", "refuse-writes"])
def test_a_broken_part_fails_the_demo_and_names_the_check(sabotage: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "poolkeeper", "demo", "--json", "--sabotage", sabotage],
        capture_output=True,
        text=True,
        check=False,
        timeout=220,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    findings = json.loads(done.stdout)
    assert [step["step"] for step in findings["steps"]] == [
        "A calm morning: the node gets its YAML"
    ]
    assert findings["failure"].startswith("Check “Load rises”: ")
    assert "The demo failed. Check “Load rises”" in done.stderr
