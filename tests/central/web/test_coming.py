"""The next two weeks of a pool, around the changes of the clocks and at their edges."""

from datetime import UTC, datetime

import pytest

from central.web.coming import HEIGHT, LEFT, WIDTH, causes, drawing, preview
from shared.config.loader import load
from tests.heartbeats import CONFIG

NIGHTS = """\
timezone: Europe/Berlin
schedules:
  - {name: night, days: [mon-sun], start: "01:30", end: "02:30", target_instances: 4}
"""
CONFIGURED = load((CONFIG + NIGHTS).encode())
CLOCKS = [
    (datetime(2026, 3, 20, 12, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC), "forward"),
    (datetime(2026, 10, 20, 12, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC), "back"),
]


@pytest.mark.parametrize(("now", "at", "direction"), CLOCKS)
def test_changes_of_the_clocks_are_marked_in_the_list_and_in_the_drawing(
    now: datetime, at: datetime, direction: str
) -> None:
    shown = preview(CONFIGURED, "web", now)
    assert shown is not None
    (clock,) = shown.clocks
    assert (clock.at, clock.direction) == (at, direction)
    assert clock in shown.rows
    assert [row.at for row in shown.rows] == sorted(row.at for row in shown.rows)
    ((x, label),) = drawing(shown).clocks
    assert label == f"clocks {direction}"
    assert LEFT < x < WIDTH


def test_weeks_without_a_change_of_the_clocks_have_no_mark() -> None:
    shown = preview(CONFIGURED, "web", datetime(2026, 6, 1, tzinfo=UTC))
    assert shown is not None
    assert shown.clocks == ()


def test_the_first_change_is_the_present_and_each_has_its_cause() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    shown = preview(CONFIGURED, "web", now)
    assert shown is not None
    assert shown.changes[0].at == now
    assert [causes(change) for change in shown.changes[:3]] == ["limits", "night", "limits"]
    assert len(shown.changes) == 1 + 2 * 14


def test_the_database_s_bare_clock_is_utc() -> None:
    bare = preview(CONFIGURED, "web", datetime(2026, 6, 1, 12))  # noqa: DTZ001 # as TIMESTAMP gives
    assert bare == preview(CONFIGURED, "web", datetime(2026, 6, 1, 12, tzinfo=UTC))


def test_the_drawing_stays_inside_its_box() -> None:
    shown = preview(CONFIGURED, "web", datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert shown is not None
    drawn = drawing(shown)
    points = [tuple(map(float, point.split(","))) for point in drawn.band.split()]
    assert all(LEFT <= x <= WIDTH and 0 < y < HEIGHT for x, y in points)
    assert points[0][0] == LEFT
    assert max(x for x, _ in points) == WIDTH
    assert [count for _, count in drawn.levels] == [0, 10, 20]


def test_a_pool_that_may_have_no_instance_can_be_drawn() -> None:
    nothing = load(CONFIG.replace("min: 2, max: 20", "min: 0, max: 0").encode())
    shown = preview(nothing, "web", datetime(2026, 6, 1, tzinfo=UTC))
    assert shown is not None
    assert [count for _, count in drawing(shown).levels] == [0, 1]


@pytest.mark.parametrize(("config", "pool"), [(None, "web"), (CONFIGURED, "other")])
def test_there_is_nothing_to_tell_of_a_pool_that_is_not_configured(config: None, pool: str) -> None:
    assert preview(config, pool, datetime(2026, 6, 1, tzinfo=UTC)) is None
