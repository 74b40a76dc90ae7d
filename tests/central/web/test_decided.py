"""Rows of decisions as sentences: the same ones together, events alone, edges only while true."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from central.web.decided import edges, runs
from shared.config.loader import load
from shared.config.models import Config
from tests.heartbeats import CONFIG

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def row(minute: int, code: str, size: int = 4, event: str | None = None) -> dict[str, Any]:
    return {
        "timestamp": NOON + timedelta(minutes=minute),
        "code": code,
        "current_instances": size,
        "scaling_event": event,
        "scaling_reason": f"{code} at {minute}",
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


TRACKING = load(
    f"""{CONFIG}    policies:
      - {{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}}
      - name: memory
        type: step
        metric: MemoryUtilization
        scale_out: {{for: 3m, steps: [{{above: 80, add: 2}}]}}
        scale_in: {{for: 10m, steps: [{{below: 30, remove: 1}}]}}
      - name: queue
        type: target_tracking
        namespace: jobs
        query: "Depth[1m].max()"
        unit: count
        per_instance: true
        target: 100
""".encode()
)
AT_FOUR = [
    "cpu adds 1 above CpuUtilization 66 %",
    "cpu could do with 1 instance less below CpuUtilization 45 %",
    "memory adds 2 above MemoryUtilization 80 %",
    "memory could do with 1 instance less below MemoryUtilization 30 %",
    "queue adds 1 above queue 440",
    "queue could do with 1 instance less below queue 300",
]


def test_the_engine_tells_what_would_change_the_size() -> None:
    assert edges(TRACKING, "web", 4, 4, NOON) == AT_FOUR


def test_the_database_s_bare_clock_is_utc() -> None:
    assert edges(TRACKING, "web", 4, 4, NOON.replace(tzinfo=None)) == AT_FOUR


@pytest.mark.parametrize(("size", "active"), [(0, 0), (1, 0), (4, 2), (5000, 5000)])
def test_every_size_can_be_asked_about(size: int, active: int) -> None:
    assert all(line for line in edges(TRACKING, "web", size, active, NOON))


@pytest.mark.parametrize(("config", "pool"), [(None, "web"), (TRACKING, "other")])
def test_of_a_pool_that_is_not_configured_there_is_nothing_to_tell(
    config: Config | None, pool: str
) -> None:
    assert edges(config, pool, 4, 4, NOON) == []


def test_an_override_silences_the_policies() -> None:
    lease = "{pool: web, target_instances: 9, until: 2026-03-02T13:00:00Z, reason: a fair}"
    held = load(f"{CONFIG}overrides:\n  - {lease}\n".encode())
    assert edges(held, "web", 4, 4, NOON) == []
