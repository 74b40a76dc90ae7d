"""Plain words by the core schema of YAML 1.2, made stricter; units; the hash."""

import hashlib
from datetime import timedelta
from fractions import Fraction

import pytest

from shared.config.fields import parse_days
from shared.config.hashing import config_hash
from shared.config.rules import Within
from shared.config.scalars import Scalar, looks_like_a_number, resolve
from shared.config.units import format_duration, format_percent, parse_amount, parse_duration

WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    "null": None,
    "NULL": None,
    "nUll": "nUll",
    "true": True,
    "False": False,
    "tRue": "tRue",
    "yes": "yes",
    "off": "off",
    "0": 0,
    "-0": 0,
    "+7": 7,
    "-12": -12,
    "999999999999999999": 999999999999999999,
    "010": "010",
    "0o17": "0o17",
    "0x1F": "0x1F",
    "0b1": "0b1",
    "1_000": "1_000",
    "1,5": "1,5",
    "12:30:45": "12:30:45",
    "2026-12-25": "2026-12-25",
    "0.5": 0.5,
    ".5": 0.5,
    "5.": 5.0,
    "1e3": 1000.0,
    "-1.5E-3": -0.0015,
    "00.5": "00.5",
    "1e": "1e",
    ".": ".",
    "-": "-",
    "+": "+",
    "inf": "inf",
    "nan": "nan",
    "١": "١",
}


@pytest.mark.parametrize(("word", "value"), WORDS.items())
@pytest.mark.fault(52)
def test_words_have_the_meaning_of_yaml_1_2(word: str, value: Scalar) -> None:
    found = resolve(word)
    assert found == value
    assert type(found) is type(value)


REFUSED = {
    ".inf": "must be a finite number",
    "-.INF": "must be a finite number",
    ".NaN": "must be a finite number",
    "1e999": "the number is too large",
    "-1e999": "the number is too large",
    "1000000000000000000": "the number is too large",
    "9" * 10_000: "the number is too large",
}


@pytest.mark.parametrize(("word", "sentence"), REFUSED.items(), ids=lambda text: text[:20])
def test_numbers_that_are_none_are_refused(word: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        resolve(word)


def test_text_that_was_probably_meant_as_a_number_is_recognised() -> None:
    assert all(map(looks_like_a_number, ("010", "0x1F", "0o17", "1_000", "1,000", "5")))
    assert not any(map(looks_like_a_number, ("five", "5m", "0x", "", "v1")))


DURATIONS = {"0s": 0, "30s": 30, "5m": 300, "90s": 90, "2h": 7200, "1d": 86_400, "60s": 60}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_durations_are_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["", "5", "5 m", "5M", "m", "-5m", "1.5h", "5m30s", "٥m", 5, True]
)
def test_other_durations_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="such as 30s, 5m or 2h"):
        parse_duration(value)


def test_durations_are_written_in_the_largest_whole_unit() -> None:
    written = [format_duration(timedelta(seconds=s)) for s in (0, 59, 60, 90, 3600, 5400, 86_400)]
    assert written == ["0s", "59s", "1m", "90s", "1h", "90m", "24h"]


def test_shares_of_a_size_round_up_when_adding_and_down_when_removing() -> None:
    half = parse_amount("50%")
    assert [half.added_to(size) for size in (0, 1, 2, 3, 5)] == [1, 1, 1, 2, 3]
    assert [half.removed_from(size) for size in (0, 1, 2, 3, 5)] == [1, 1, 1, 1, 2]
    assert (parse_amount(3).added_to(1), parse_amount(3).removed_from(9)) == (3, 3)
    assert (str(half), str(parse_amount(3))) == ("50%", "3")


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "2", "0%", "10001%", "%", None, 100_001])
def test_amounts_of_nothing_or_of_another_form_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_amount(value)


def test_percentages_are_written_without_needless_digits() -> None:
    assert format_percent(Fraction(1, 10)) == "10%"
    assert format_percent(Fraction(1, 8)) == "12.5%"


def test_both_edges_of_a_range_of_durations_are_inside() -> None:
    rule = Within(timedelta(minutes=1), timedelta(hours=24))
    assert str(rule) == "between 1m and 24h"
    for inside in (timedelta(minutes=1), timedelta(hours=24)):
        assert rule.check(inside) == inside
    for outside in (timedelta(seconds=59), timedelta(hours=24, seconds=1)):
        with pytest.raises(ValueError, match="must be between 1m and 24h"):
            rule.check(outside)


@pytest.mark.parametrize("value", [[], "", ["monday"], ["mon-"], ["-fri"], [7], 5, ["mon-fri-sun"]])
def test_days_of_another_form_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="mon"):
        parse_days(value)


def test_the_hash_is_sha_256_over_the_bytes() -> None:
    assert (
        config_hash("ä\n")
        == config_hash("ä\n".encode())
        == hashlib.sha256(b"\xc3\xa4\n").hexdigest()
    )
    assert config_hash("a") != config_hash("a\n")
