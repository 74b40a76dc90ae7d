"""docs/simulator.md names everything that there is, and its example works."""

import json
import re
from pathlib import Path

from simulator import admin
from simulator.faults import Faults, Rule
from simulator.keys import ApiKey
from simulator.scenario import Scenario
from tests.oci_world import stepped_world

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def test_the_example_is_a_scenario_that_plays(key: ApiKey) -> None:
    block = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert block
    world = stepped_world(key)
    world.play(Scenario.model_validate(json.loads(block[1])))
    assert world.pool("web").size == 2


def test_every_admin_call_is_listed(key: ApiKey) -> None:
    offered = {
        f"{verb} {route.path}"  # type: ignore[attr-defined] # all of them are Route
        for route in admin.routes(stepped_world(key))
        for verb in route.methods - {"HEAD"}  # type: ignore[attr-defined] # the same
    }
    assert offered == set(re.findall(r"\| `((?:GET|POST|PUT|PATCH|DELETE) /admin[^`]*)`", PAGE))


def test_every_fault_is_listed() -> None:
    table = PAGE.partition("## Faults")[2]
    missing = [
        name for name in (*Faults.model_fields, *Rule.model_fields) if f"`{name}`" not in table
    ]
    assert missing == []
