"""Killed again and again at random steps: what must hold, holds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.fault(10, 11, 24, 35)
@pytest.mark.timeout(400)
def test_thirty_random_kills_break_no_invariant() -> None:
    """`make test-kill` makes two hundred; this is the same loop, shorter."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.kill_loop", "30", "11"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] == 30
    assert told["size_changes"] > 3
    assert told["broken"] == []
