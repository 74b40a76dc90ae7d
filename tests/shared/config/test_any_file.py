"""Whatever is in a file, loading it ends in a configuration or in a ConfigError."""

from datetime import timedelta
from fractions import Fraction
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.config.hashing import config_hash
from shared.config.loader import load_document
from shared.config.problems import ConfigError, Problem
from shared.config.units import (
    exact,
    format_clock_time,
    format_duration,
    format_percent,
    parse_clock_time,
    parse_duration,
    parse_number,
    parse_percent,
)
from tests.config_texts import BAD_FILES

EXAMPLE = (Path(__file__).parents[3] / "config.example.yaml").read_text()
LINES = EXAMPLE.splitlines(keepends=True)
FRAGMENTS = [
    *("{", "}", "[", "]", ": ", "- ", "\n", "\t", "'", '"', "&a ", "*a", "!!int ", "%", "@", "`"),
    *("|", ">", "?", "#", ",", "~", "null", "true", "0x1F", "010", "1e999", ".nan", "-1", "24:01"),
    *(
        "\0",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ud800",
        "😀",
        "<<: ",
        "---\n",
        "...\n",
        "name",
        "9" * 400,
    ),
]


def settle(source: str | bytes) -> None:
    """Load; a refusal must have told at least one place that exists in the text."""
    problems: tuple[Problem, ...] | None = None
    try:
        assert load_document(source).hash == config_hash(source)
    except ConfigError as error:
        problems = error.problems
    if problems is None:
        return
    assert problems
    for problem in problems:
        assert min(problem.line, problem.column) >= 1
        assert problem.message
        assert "Input should" not in problem.message


@given(st.text())
@settings(deadline=None)
def test_any_text(text: str) -> None:
    settle(text)


@given(st.binary())
@settings(deadline=None)
@example(b"\xff\xfe")
@example(b"version: 1\npools: []\n\xc3")
def test_any_bytes(source: bytes) -> None:
    settle(source)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_mutation_of_a_sound_file(data: st.DataObject) -> None:
    text = EXAMPLE
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.sampled_from(FRAGMENTS)) + text[end:]
    settle(text)


@given(st.lists(st.sampled_from(LINES), max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_shuffle_of_lines(lines: list[str]) -> None:
    settle("".join(lines))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "limits", "min", "type", "for", "x"]), inner)
    ),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["version", "timezone", "poll_interval", "defaults", "pools", "schedules", "overrides", "odd"]
)


@given(st.dictionaries(KEYS, VALUES))
@settings(max_examples=300, deadline=None)
def test_any_values_under_the_right_keys(values: dict[str, object]) -> None:
    settle(repr(values).replace("None", "null"))


@given(st.sampled_from(sorted(BAD_FILES)), st.sampled_from(sorted(BAD_FILES)))
@settings(deadline=None)
def test_any_two_bad_files_glued_together(one: str, other: str) -> None:
    settle(BAD_FILES[one].text + BAD_FILES[other].text)


@given(st.integers(0, 10**6))
def test_durations_survive_being_written_and_read(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(0, 24 * 60))
def test_times_of_day_survive_being_written_and_read(minutes: int) -> None:
    assert parse_clock_time(format_clock_time(minutes)) == minutes


@given(st.integers(0, 100_000))
def test_percentages_survive_being_written_and_read(hundredths: int) -> None:
    share = Fraction(hundredths, 10_000)
    assert parse_percent(format_percent(share)) == share


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_numbers_are_read_as_the_decimals_they_were_written_as(digits: int, places: int) -> None:
    number = Fraction(digits, 10**places)
    assert parse_number(float(number)) == exact(float(number)) == number
