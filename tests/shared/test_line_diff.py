"""Diffs of lines: applying one gives the new text, and long files take no time."""

import random
import time
from difflib import unified_diff as of_difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.line_diff import unified_diff

LINES = st.lists(st.sampled_from([*"abcdefgh", "", "- a", "+ b", "@@"]), max_size=30).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


def applied(before: str, diff: str) -> str:
    """What `patch` would make of a text; every kept and removed line must be there."""
    old, new, at = before.splitlines(keepends=True), [], 0
    for line in diff.splitlines(keepends=True)[2:]:
        if line.startswith("@@ "):
            first, _, length = line.split()[1].removeprefix("-").partition(",")
            begin = int(first) - (length != "0")
            new += old[at:begin]
            at = begin
        elif line[0] in " -":
            assert old[at] == line[1:]
            new += [line[1:]] if line[0] == " " else []
            at += 1
        else:
            new.append(line[1:])
    return "".join([*new, *old[at:]])


@given(LINES, LINES)
def test_a_diff_leads_from_one_text_to_the_other(before: str, after: str) -> None:
    assert applied(before, unified_diff(before, after, "old", "new")) == after


NUMBERS = "".join(f"{number}\n" for number in range(10, 50))
CASES = [
    ("a\nb\nc\n", "a\nx\nc\n"),
    ("", "a\n"),
    ("a\n", ""),
    (NUMBERS, NUMBERS.replace("13\n", "").replace("30\n", "thirty\n")),
]


@pytest.mark.parametrize(("before", "after"), CASES)
def test_ordinary_diffs_look_as_everywhere(before: str, after: str) -> None:
    usual = "".join(
        of_difflib(before.splitlines(keepends=True), after.splitlines(keepends=True), "a", "b")
    )
    assert unified_diff(before, after, "a", "b") == usual


def test_equal_texts_have_none_and_a_last_line_without_end_gets_one() -> None:
    assert unified_diff("a\n", "a\n", "x", "y") == ""
    assert unified_diff("a", "b", "x", "y") == "--- x\n+++ y\n@@ -1 +1 @@\n-a\n+b\n"


def test_a_moved_block_is_taken_out_and_put_in() -> None:
    before, after = "a\nb\nc\nd\n", "c\nd\na\nb\n"
    diff = unified_diff(before, after, "x", "y")
    assert applied(before, diff) == after
    assert diff.count("\n ") == 2  # one half stays


def long_texts() -> list[tuple[str, str]]:
    chance = random.Random(1)
    pools = "".join(f"- name: p{n}\n  limits: {{max: 20}}\n  mode: active\n" for n in range(5000))
    few = "".join(f"{chance.choice('abcdefghij')}\n" for _ in range(30_000))
    return [
        (pools, pools.replace("20", "21")),
        (pools, "".join(chance.sample(pools.splitlines(keepends=True), 15_000))),
        (few, few[::-1].lstrip("\n") + "\n"),
        ("a\nb\n" * 15_000, "b\na\n" * 14_000),
    ]


@pytest.mark.parametrize(("before", "after"), long_texts(), ids=["edit", "mix", "few", "two"])
def test_long_files_take_no_time(before: str, after: str) -> None:
    started = time.process_time()
    diff = unified_diff(before, after, "old", "new")
    assert time.process_time() - started < 3
    assert applied(before, diff) == after
