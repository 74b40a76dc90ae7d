"""Edits as operators write them, a line each."""

from typing import Any

import pytest

from shared.edit_lines import edits_of

CASES: list[tuple[str, Any]] = [
    ("pools.*.limits.max=20", 20),
    ("pools.web.mode = paused", "paused"),
    ("schedules.night.active=false", False),
    ('a.description="1=2"', "1=2"),
    ("a.b=[1, two]", [1, "two"]),
    ("a.b={min: 2, max: 3}", {"min": 2, "max": 3}),
    ("a.b=", None),
    ('a.b="20"', "20"),
]


@pytest.mark.parametrize(("line", "value"), CASES)
def test_a_value_is_read_as_yaml_reads_it(line: str, value: Any) -> None:
    (edit,) = edits_of(line)
    assert edit.model_dump() == {
        "kind": "set",
        "path": line.partition("=")[0].strip(),
        "value": value,
    }


def test_a_key_is_taken_away() -> None:
    (edit,) = edits_of("unset pools.web.cooldown")
    assert edit.model_dump() == {"kind": "unset", "path": "pools.web.cooldown"}


def test_empty_lines_and_remarks_are_left_out() -> None:
    text = "# for the sale\n\n  a.b=1  \n unset c.d\n"
    assert [edit.path for edit in edits_of(text)] == ["a.b", "c.d"]
    assert edits_of(" \n# nothing\n") == []


BAD = [
    ("a.b=1\nnonsense", "Line 2: 'nonsense' is not PATH=VALUE"),
    ("=1", "Line 1: '=1' is not PATH=VALUE"),
    ("a.b=[1", "Line 1: the value of a.b"),
    ("unset  ", "Line 1: 'unset' is not PATH=VALUE"),
    ("x" * 301 + "=1", "Line 1: A path has 1 to 300 characters."),
]


@pytest.mark.parametrize(("text", "why"), BAD)
def test_what_is_wrong_is_told_with_its_line(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"^Line") as caught:
        edits_of(text)
    assert str(caught.value).startswith(why)
