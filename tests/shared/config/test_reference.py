"""docs/configuration.md is what the models say now."""

import re
from pathlib import Path

from shared.config.keys import all_sections, keys_of
from shared.config.models import Config, Pool
from shared.config.policy_models import Step, TargetTracking
from shared.config.reference import render

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == render(), "run `make docs`"


def test_every_key_has_a_row_with_a_meaning() -> None:
    rows = [
        line.strip("| ").split(" | ") for line in render().splitlines() if line.startswith("| `")
    ]
    documented = {row[0].strip("`") for row in rows}
    for section in all_sections():
        assert set(keys_of(section)) <= documented
    assert all(len(row) == 4 and row[-1].endswith((".", ")")) for row in rows)


def test_every_link_leads_to_a_heading() -> None:
    page = render()
    anchors = {
        heading.lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#([^)]*)\)", page))
    assert links
    assert links <= anchors


def test_sections_come_in_the_order_of_the_file() -> None:
    sections = all_sections()
    assert sections[:2] == (Config, Pool)
    assert sections.index(TargetTracking) < sections.index(Step)


def test_the_example_shows_every_key() -> None:
    text = EXAMPLE.read_text()
    for section in all_sections():
        for key in keys_of(section):
            assert re.search(rf"\b{key}:", text), f"config.example.yaml does not show {key}"
