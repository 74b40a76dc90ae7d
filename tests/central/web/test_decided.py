"""Rows of decisions as sentences: the same ones together, events alone, edges only while true."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.web.decided import edges, runs

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def row(minute: int, code: str, size: int = 4, event: str | None = None) -> dict[str, Any]:
    return {
        "timestamp": NOON + timedelta(minutes=minute),
        "code": code,
        "current_instances": size,
        "scaling_event": event,
        "scaling_reason": f"{code} at {minute}",
        "config_hash": "h",
    }


def newest_first(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda one: one["timestamp"], reverse=True)


def test_equal_decisions_are_one_with_the_newest_words() -> None:
    (only,) = runs(newest_first(*(row(minute, "on_target") for minute in range(5))))
    assert (only.text, only.rows) == ("on_target at 4", 5)
    assert (only.since, only.at) == (NOON, NOON + timedelta(minutes=4))


def test_another_reason_another_size_and_every_event_stand_alone() -> None:
    found = runs(
        newest_first(
            row(0, "on_target"),
            row(1, "cooldown"),
            row(2, "cooldown", size=5),
            row(3, "scale_out", event="SCALE_OUT"),
            row(4, "scale_out", event="SCALE_OUT"),
        )
    )
    assert [one.rows for one in found] == [1, 1, 1, 1, 1]
    assert [one.event for one in found] == ["SCALE_OUT", "SCALE_OUT", None, None, None]


def test_only_the_newest_are_told_and_the_last_one_is_whole() -> None:
    rows = newest_first(*(row(minute, f"code {minute // 3}") for minute in range(30)))
    found = runs(rows, most=2)
    assert [(one.text, one.rows) for one in found] == [("code 9 at 29", 3), ("code 8 at 26", 3)]


def test_a_row_without_words_says_that() -> None:
    (only,) = runs([{**row(0, "x"), "scaling_reason": None}])
    assert only.text == "The agent gave no reason."


def test_no_rows_are_no_decisions() -> None:
    assert runs([]) == []


VOTE = {
    "policy": "cpu",
    "grows": {"value": 66.0, "size": 6},
    "shrinks": {"value": 45.0, "size": 3},
}


def explained(**changes: Any) -> dict[str, Any]:
    decision = {"votes": [VOTE], "bounds": {"override": changes.pop("override", None)}}
    return {"current_instances": 4, "config_hash": "h", "decision": decision, **changes}


def test_edges_tell_what_would_change_the_size() -> None:
    assert edges(explained(), row(0, "on_target"), {"cpu": True}) == [
        "cpu adds 2 above 66 %",
        "cpu could do with 1 instance less below 45 %",
    ]
    assert edges(explained(), row(0, "x"), {})[0] == "cpu adds 2 above 66"


STALE = [{"current_instances": 5}, {"config_hash": "another"}, {"override": "a fair"}]


@pytest.mark.parametrize("change", STALE)
def test_edges_of_another_size_configuration_or_time_are_not_told(change: dict[str, Any]) -> None:
    assert edges(explained(**change), row(0, "on_target"), {"cpu": True}) == []


def test_without_an_explanation_there_are_no_edges() -> None:
    assert edges(None, row(0, "on_target"), {}) == []
