"""Keys that came later have a capability, and whoever does not name it is not sent them."""

from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from agent.version import CAPABILITIES
from shared.config.capabilities import FORMAT, config_capabilities, told, unknown_keys
from shared.config.keys import all_sections, sections_in
from shared.config.loader import load
from shared.config.rules import Needs
from tests.heartbeats import CONFIG

FIRST_FORMAT = Path(__file__).with_name("config_v1_keys.txt")
HEADROOM = (
    CONFIG
    + """\
    policies:
      - {name: memory, type: target_tracking, metric: MemoryUtilization, target: 70}
      - {name: cpu, type: target_tracking, metric: CpuUtilization, target: 60, headroom: 2}
"""
)
INHERITED = HEADROOM.replace("pools:", "defaults: {}\npools:").replace("headroom: 2", "headroom: 0")


def is_marked(field: FieldInfo) -> bool:
    return any(isinstance(marker, Needs) for marker in field.metadata)


def test_a_key_that_is_not_of_the_first_format_names_its_capability() -> None:
    frozen = set(FIRST_FORMAT.read_text("utf-8").split())
    found = {
        section: {
            f"{section.__name__}.{field.alias or name}": field
            for name, field in section.model_fields.items()
        }
        for section in all_sections()
    }
    keys = {key for fields in found.values() for key in fields}
    assert frozen <= keys, "a key of the first format is gone: older files no longer load"
    covered = {
        below
        for fields in found.values()
        for field in filter(is_marked, fields.values())
        for below in sections_in(field.annotation)
    }
    for section, fields in found.items():
        if frozen.isdisjoint(
            fields
        ):  # a new section: what leads to it, or what it needs, is marked
            required = (field for field in fields.values() if field.is_required())
            assert section in covered or any(map(is_marked, required)), section
        else:
            later = {key for key in fields if key not in frozen}
            marked = {key for key, field in fields.items() if is_marked(field)}
            assert later == marked, "an older agent would refuse it: mark it with Needs"


def test_an_agent_names_the_format_and_every_later_key() -> None:
    assert set(config_capabilities()) <= set(CAPABILITIES)
    assert {FORMAT, "config.headroom"} <= set(CAPABILITIES)


@pytest.mark.parametrize(
    ("yaml", "capabilities", "unknown"),
    [
        (HEADROOM, [FORMAT], [("pools", 0, "policies", 1, "headroom")]),
        (HEADROOM, [FORMAT, "config.headroom"], []),
        (HEADROOM, [FORMAT, "config.headroom", "config.of-tomorrow"], []),
        (HEADROOM, [], []),
        (HEADROOM, ["outbox.v1"], []),
        (CONFIG, [FORMAT], []),
        (INHERITED, [FORMAT], [("pools", 0, "policies", 1, "headroom")]),
    ],
    ids=["older", "same", "newer", "silent", "no format named", "not written", "at its default"],
)
def test_a_key_is_unknown_to_agents_that_name_the_format_and_not_the_key(
    yaml: str, capabilities: list[str], unknown: list[tuple[str | int, ...]]
) -> None:
    assert unknown_keys(load(yaml), capabilities) == unknown


def test_keys_in_defaults_are_found_in_every_pool() -> None:
    policy = "{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60, headroom: 1}"
    pools = CONFIG.partition("pools:\n")[2]
    second = pools.replace("web", "batch")
    yaml = CONFIG.replace("pools:\n", f"defaults: {{policies: [{policy}]}}\npools:\n") + second
    found = unknown_keys(load(yaml), [FORMAT])
    assert [location[1] for location in found] == [0, 1]
    assert told(found) == "pools[0].policies[0].headroom and 1 other"
