"""Many votes, one need: the largest wins, whoever cannot see blocks scale-in and nothing else."""

from typing import Any

import pytest

from shared.engine.decide import decide
from shared.engine.model import Reading
from tests.engine_worlds import (
    EAGER,
    codes,
    cpu,
    decisive,
    ladder,
    plan,
    queue,
    seen,
    size_after,
    texts,
    watched,
    window,
)

GAP = Reading(error="HTTP 500")
BOTH = (cpu(), queue())
WITH_STEPS = (cpu(), ladder(scale_out={"for": "1m", "steps": [{"above": 80, "add": 2}]}))
AT_LEAST: dict[str, Any] = {"on_missing_metrics": {"at_least": 12}}

# policies, metrics, pool keys, size -> size after, a code among the reasons
COMBINED: dict[str, tuple[Any, dict[str, Any], dict[str, Any], int, int, str]] = {
    "the largest need wins, out": (BOTH, {"cpu": 90, "queue": 1200}, {}, 10, 15, "largest_need"),
    "whichever it is": (BOTH, {"cpu": 72, "queue": 1900}, {}, 10, 19, "largest_need"),
    "one out, one in: out": (BOTH, {"cpu": 72, "queue": 100}, {}, 10, 12, "largest_need"),
    "both in: the larger need": (BOTH, {"cpu": 30, "queue": 700}, {}, 10, 7, "largest_need"),
    "one on target, one in: stay": (BOTH, {"cpu": 60, "queue": 100}, {}, 10, 10, "on_target"),
    "one without data blocks scale-in": (
        BOTH, {"cpu": 30, "queue": GAP}, {}, 10, 10, "partial_data",
    ),
    "one left out blocks scale-in": (BOTH, {"cpu": 30}, {}, 10, 10, "partial_data"),
    "one without data does not block scale-out": (
        BOTH, {"cpu": 90, "queue": GAP}, {}, 10, 15, "largest_need",
    ),
    "no opinion does not block scale-in": (
        WITH_STEPS, {"cpu": 30, "memory": 40}, {}, 10, 5, "largest_need",
    ),
    "no opinion does not block scale-out": (
        WITH_STEPS, {"cpu": 90, "memory": 50}, {}, 10, 15, "largest_need",
    ),
    "no opinion beside no data: stay": (
        WITH_STEPS, {"cpu": GAP, "memory": 50}, {}, 10, 10, "no_opinion",
    ),
    "all without an opinion: stay": ((ladder(),), {"memory": 50}, {}, 10, 10, "no_opinion"),
    "none with data: hold": (BOTH, {"cpu": GAP, "queue": GAP}, {}, 10, 10, "on_missing_hold"),
    "none with data, at_least above: grow": (BOTH, {}, AT_LEAST, 10, 12, "on_missing_at_least"),
    "none with data, at_least met: hold": (BOTH, {}, AT_LEAST, 12, 12, "on_missing_hold"),
    "none with data, at_least below: hold": (BOTH, {}, AT_LEAST, 30, 30, "on_missing_hold"),
    "one with data: at_least is not asked": (BOTH, {"cpu": 60}, AT_LEAST, 10, 10, "on_target"),
    "at_least stays inside the limits": (
        BOTH, {}, {"on_missing_metrics": {"at_least": 40}, "limits": {"min": 1, "max": 20}},
        10, 20, "at_ceiling",
    ),
    "no policies, no schedules: stay": ((), {}, {}, 10, 10, "no_policies"),
    "no policies, an open window: its floor": (
        (), {}, {"schedules": [window("day", "08:00", "18:00", 6)]}, 10, 6, "schedule_only",
    ),
    "no policies, a closed window: the limits' min": (
        (), {}, {"schedules": [window("night", "18:00", "08:00", 6)]}, 10, 1, "schedule_only",
    ),
    "a schedule of another pool is none": (
        (), {}, {"schedules": [window("day", "08:00", "18:00", 6, pools=["api"])]},
        10, 10, "no_policies",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("policies", "metrics", "keys", "size", "to", "code"), COMBINED.values(), ids=COMBINED.keys()
)
def test_the_largest_need_wins(
    policies: Any, metrics: dict[str, Any], keys: dict[str, Any], size: int, to: int, code: str
) -> None:
    web = plan(*policies, **{**EAGER, **keys})
    decision = decide(web, seen(size, **metrics), watched(web, size))
    assert size_after(decision) == to
    assert code in codes(decision)


def test_every_vote_is_in_the_verdict_with_its_reason() -> None:
    web = plan(*BOTH, ladder(), **EAGER)
    verdict = decide(web, seen(10, cpu=90, queue=1200), watched(web, 10)).verdict
    assert [vote.policy for vote in verdict.votes] == ["cpu", "queue", "memory"]
    assert all(vote.reason in verdict.reasons for vote in verdict.votes)


def test_partial_data_names_who_is_blind() -> None:
    web = plan(*BOTH, **EAGER)
    decision = decide(web, seen(10, cpu=30, queue=GAP), watched(web, 10))
    assert "without data of queue nothing is removed" in texts(decision)
    assert "HTTP 500" in texts(decision)


# what the source gave -> the code that tells it from the other causes
CAUSES: dict[str, tuple[Reading | None, str]] = {
    "nothing at all": (None, "no_data"),
    "an empty answer": (Reading(), "no_data"),
    "only windows younger than the lag": (Reading(60.0, None), "no_data"),
    "an error": (GAP, "metric_error"),
}


@pytest.mark.parametrize(("reading", "code"), CAUSES.values(), ids=CAUSES.keys())
def test_the_cause_of_missing_data_is_named(reading: Reading | None, code: str) -> None:
    web = plan(cpu())
    decision = decide(web, seen() if reading is None else seen(cpu=reading), watched(web))
    assert (codes(decision)[0], decisive(decision)) == (code, "on_missing_hold")
    assert decision.verdict.status == "warning"


def test_without_policies_the_floor_goes_through_the_stages() -> None:
    night = window("night", "18:00", "08:00", 6)
    web = plan(schedules=[night])
    blind = decide(web, seen(10), watched(web, 10, minutes=1))
    assert (size_after(blind), decisive(blind)) == (10, "no_history")
    step = decide(web, seen(10), watched(web, 10, need=1))
    assert (size_after(step), "max_step" in codes(step)) == (5, True)
