"""Killed again and again at random steps: what must hold, holds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def kill(kills: int, seed: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kill_loop", str(kills), str(seed)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["broken"] == []
    assert told["size_changes"] > 2
    return told


@pytest.mark.slow
@pytest.mark.fault(10, 11, 24, 35)
@pytest.mark.timeout(400)
def test_thirty_random_kills_break_no_invariant() -> None:
    """`make test-kill` makes two hundred; this is the same loop, shorter."""
    assert kill(30, 11)["kills"] == 30


@pytest.mark.slow
@pytest.mark.fault(10, 11)
@pytest.mark.timeout(400)
def test_a_kill_at_every_flush_rename_and_commit_breaks_no_invariant() -> None:
    told = kill(0, 3)
    assert told["kills"] > 40
    assert told["generations"] > told["kills"]
