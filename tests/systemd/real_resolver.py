"""A name server that never answers, in a network of its own, with the resolver of the system."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.fault(29)
def test_a_name_server_that_never_answers_holds_no_call_beyond_its_limit(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.hanging_resolver", str(tmp_path)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"needs root and util-linux: {done.stderr}"
    told = json.loads(done.stdout)
    assert told["the system waits still"], "without limits of its own a call would have waited too"
    for kind in ("read", "write"):
        assert told[kind]["seconds"] < 15
        assert "Unreachable" in told[kind]["told"]
    assert 14 < told["central"]["seconds"] < 17
    assert "nothing whole came within 15 s" in told["central"]["told"]
