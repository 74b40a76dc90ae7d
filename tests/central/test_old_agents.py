"""Keys that a node's agent is too old for: refused before anything is pushed."""

from typing import Any

import pytest

from shared.config.hashing import config_hash
from tests.central_server import YAML, RunningCentral
from tests.heartbeats import CONFIG, beat

POLICY = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60, headroom: 1}"
NEWER = f"{CONFIG}    policies: [{POLICY}]\n"


def heard(central: RunningCentral, *capabilities: str) -> None:
    """The node n1, which runs an old configuration, as its agent describes itself."""
    able = {"capabilities": capabilities, "agent_version": "0.9.0"}
    with central.client(central.create_node("n1")) as agent:
        assert agent.post("/v1/heartbeat", json=beat(1, **able)).status_code == 200
    central.push("n1", CONFIG)


def test_a_key_is_pushed_to_an_agent_that_names_it(central: RunningCentral) -> None:
    heard(central, "config.v1", "config.headroom")
    assert central.push("n1", NEWER).config_hash == config_hash(NEWER)


def test_a_key_is_not_pushed_to_an_agent_that_is_too_old_for_it(central: RunningCentral) -> None:
    heard(central, "config.v1")
    answer = central.try_push("n1", NEWER)
    assert answer.status_code == 409
    assert answer.json()["code"] == "too_old"
    assert answer.json()["error"] == (
        "The agent of n1 (0.9.0) does not know pools[0].policies[0].headroom: "
        "upgrade it first, or leave that out."
    )
    assert answer.json()["details"] == [{"path": "pools[0].policies[0].headroom"}]
    assert central.operator().get("/v1/nodes/n1").json()["active_hash"] == config_hash(CONFIG)


@pytest.mark.parametrize(
    ("capabilities", "warned"), [(["config.v1"], True), (["config.v1", "config.headroom"], False)]
)
def test_a_review_points_at_the_key(
    central: RunningCentral, capabilities: list[str], *, warned: bool
) -> None:
    heard(central, *capabilities)
    path = "/v1/nodes/n1/config/review"
    review = central.operator("USER").post(path, content=NEWER.encode(), headers=YAML).json()
    found: list[dict[str, Any]] = [w for w in review["warnings"] if "too old" in w["message"]]
    assert bool(found) is warned
    for warning in found:
        assert warning["path"] == "pools[0].policies[0].headroom"
        line = NEWER.splitlines()[warning["line"] - 1]
        assert line[warning["column"] - 1 :].startswith("headroom")
