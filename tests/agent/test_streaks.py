"""Failures that repeat: told at their beginning, at a change and at their end."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.errors import Cause
from agent.streaks import QUIET, Streaks

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_only_the_first_of_a_streak_is_news() -> None:
    streaks = Streaks()
    assert streaks.failed("web", "503", NOON) == (True, None)
    assert streaks.failed("web", "503", NOON + SECOND) == (False, None)
    assert streaks.failed("api", "503", NOON + SECOND) == (True, None), "another pool's own"
    over = streaks.ended("web")
    assert over is not None
    assert (over.count, over.since, over.last) == (2, NOON, NOON + SECOND)
    assert str(over) == "503: 2 times from 2026-01-15T12:00:00+00:00 to 2026-01-15T12:00:01+00:00"
    assert streaks.ended("web") is None
    assert streaks.failed("web", "503", NOON + 2 * SECOND)[0], "it begins anew"


def test_another_failure_ends_a_streak() -> None:
    streaks = Streaks()
    streaks.failed("web", "503", NOON)
    streaks.failed("web", "503", NOON)
    is_news, over = streaks.failed("web", "429", NOON + SECOND)
    assert is_news
    assert over is not None
    assert (over.what, over.count) == ("503", 2)


@pytest.mark.parametrize(
    ("later", "over"), [(QUIET - SECOND, False), (QUIET, True), (-QUIET, True)]
)
def test_a_streak_fades_when_it_is_not_seen_for_a_while(later: timedelta, *, over: bool) -> None:
    streaks = Streaks()
    streaks.failed("web", "503", NOON - SECOND)
    streaks.failed("web", "503", NOON)
    assert (streaks.faded("web", NOON + later) is not None) == over
    assert (streaks.ended("web") is None) == over


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Cause("GetInstancePool", "…", 503, "ServiceUnavailable"), "no good answer"),
        (Cause("UpdateInstancePool", "…", 500, "InternalError"), "no good answer"),
        (Cause("GetInstancePool", "…", None, "CircuitOpen"), "no good answer"),
        (Cause("GetInstancePool", "…", 429, "TooManyRequests"), "429 TooManyRequests"),
        (Cause("GetInstancePool", "…", None, "AuthUnavailable"), "AuthUnavailable"),
    ],
)
def test_an_outage_is_one_failure_whatever_it_answers(cause: Cause, kind: str) -> None:
    assert cause.kind == kind
