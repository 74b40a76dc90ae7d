"""The JSON Schema agrees with the loader as far as a schema can."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.config.json_schema import DIALECT, json_schema, render
from shared.config.loader import load
from shared.config.nodes import plain
from shared.config.tree import parse_tree
from tests.config_texts import BAD_FILES, HEAD, KEYS, pool, schedule

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

GOOD = {
    "the example": EXAMPLE.read_text(),
    "the smallest file": "version: 1\npools: []\n",
    "one plain pool": HEAD,
    "a duration of 0": pool("warmup: 0", "stabilization: {scale_in: 0s}"),
    "counts and percentages": pool("max_step: {scale_out: 3, scale_in: 12.5 %}"),
    "both answers to missing metrics": pool("on_missing_metrics: {at_least: 2}"),
    "days in any case and as one word": schedule(
        "name: s, start: 08:00, end: 24:00, target_instances: 2, days: [Mon-FRI, sun]"
    ),
    "a single range of days": schedule(
        "name: s, start: 08:00, end: 24:00, target_instances: 2, days: sat-sun"
    ),
    "empty optional values": schedule(
        "name: s, start: 08:00, end: 24:00, target_instances: 2, timezone: , from: ~, pools: null"
    ),
    "defaults that complete a pool": (
        "version: 1\ndefaults: {region: eu-frankfurt-1, compartment_id: ocid1.compartment.oc1..c,"
        " limits: {min: 2}}\npools: [{name: a, instance_pool_id: ocid1.instancepool.oc1..a}]\n"
    ),
}

# Mistakes that a schema cannot see: relations between values, MQL, calendars, the tz database.
BEYOND_A_SCHEMA = re.compile(
    "outside the limits|is above|is after|is already|a second|no pool is named|time zone|"
    "between|must be at most 24h|equal|24:00|either|goes with|own is|overlaps|same threshold|"
    "another policy|MQL|a comparison|longer than|scale_out`, `scale_in|at most 10000%|a date such|"
    "an instant|must be below|finite|too large|not allowed|a key must be text|0% and|such as 30s"
)


def data(text: str) -> Any:
    return plain(parse_tree(text)[0])


def test_it_is_a_schema_of_the_named_draft() -> None:
    assert SCHEMA["$schema"] == DIALECT
    Draft202012Validator.check_schema(SCHEMA)
    json.dumps(SCHEMA)


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_what_loads_is_valid(text: str) -> None:
    load(text)
    assert list(VALIDATOR.iter_errors(data(text))) == []


VISIBLE = {
    name: case
    for name, case in BAD_FILES.items()
    if name in KEYS or (case.path and not BEYOND_A_SCHEMA.search(case.message))
}


@pytest.mark.parametrize("text", [case.text for case in VISIBLE.values()], ids=VISIBLE.keys())
def test_mistakes_that_a_schema_can_see_are_invalid(text: str) -> None:
    assert not VALIDATOR.is_valid(data(text))


def test_a_schema_sees_most_of_the_mistakes() -> None:
    assert len(VISIBLE) > 50


def test_a_pool_without_region_is_invalid_unless_the_defaults_have_one() -> None:
    bare = {"name": "a", "instance_pool_id": "ocid1.instancepool.oc1..a"}
    whole = {"region": "eu-frankfurt-1", "compartment_id": "ocid1.compartment.oc1..c"}
    assert not VALIDATOR.is_valid({"version": 1, "pools": [bare]})
    assert not VALIDATOR.is_valid({"version": 1, "pools": [bare], "defaults": {}})
    assert VALIDATOR.is_valid({"version": 1, "pools": [bare | whole]})
    assert VALIDATOR.is_valid({"version": 1, "pools": [bare], "defaults": whole})


def _sections() -> list[tuple[str, dict[str, Any]]]:
    parts: dict[str, dict[str, Any]] = SCHEMA["$defs"]
    return [("the file", SCHEMA), *parts.items()]


@pytest.mark.parametrize(("name", "part"), _sections(), ids=[name for name, _ in _sections()])
def test_every_section_is_closed_and_every_key_described(name: str, part: dict[str, Any]) -> None:
    assert part["additionalProperties"] is False
    assert part["description"]
    for key, described in part["properties"].items():
        assert "description" in described or "$ref" in described, f"{name}.{key}"
        assert not key.endswith("_"), "keys are spelled as in the file"


def test_defaults_are_spelled_as_in_the_file() -> None:
    pool_keys = SCHEMA["$defs"]["Pool"]["properties"]
    assert pool_keys["warmup"]["default"] == "1m"
    assert pool_keys["limits"]["default"] == {"min": 1, "max": 10}
    assert pool_keys["max_step"]["default"] == {"scale_out": "100%", "scale_in": "50%"}
    assert SCHEMA["$defs"]["Tolerance"]["properties"]["in"]["default"] == "10%"
    assert "PT" not in json.dumps(SCHEMA)


def test_defaults_offer_every_key_of_a_pool_but_its_identity() -> None:
    keys = set(SCHEMA["$defs"]["Pool"]["properties"]) - {"name", "instance_pool_id"}
    assert set(SCHEMA["$defs"]["Defaults"]["properties"]) == keys
    assert "required" not in SCHEMA["$defs"]["Defaults"]


def test_the_example_names_the_committed_schema_for_editors() -> None:
    first_line = EXAMPLE.read_text().splitlines()[0]
    path = EXAMPLE.parent / first_line.removeprefix("# yaml-language-server: $schema=")
    mend = "run `poolkeeper config schema > docs/config.schema.json`"
    assert path.read_text() == render(), mend
