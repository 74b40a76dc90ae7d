"""Fronts and their comparison, and that all families compete with as many configurations."""

from collections import Counter

from benchmarks.families import all_settings
from benchmarks.fronts import Point, compare, excess, front, line_at
from benchmarks.synthetic import synthetic_csv
from shared.config.loader import load


def points(*pairs: tuple[float, float]) -> list[Point]:
    return [Point(hours, minutes) for hours, minutes in pairs]


def test_a_front_holds_what_nothing_beats_in_both() -> None:
    assert front(points((10, 50), (12, 50), (11, 40), (9, 60), (13, 45))) == points(
        (9, 60), (10, 50), (11, 40)
    )


def test_a_point_is_covered_by_no_more_hours_and_no_more_minutes() -> None:
    found = compare(points((10, 50), (20, 10)), points((10, 50), (15, 40), (20, 21), (25, 5)))
    assert (found.points, found.covered, found.halved) == (4, 2, 1)


def test_the_line_joins_neighbours_of_the_front_and_goes_on_level() -> None:
    ours = points((10, 50), (20, 10), (15, 60))
    assert line_at(ours, 9) is None
    assert [line_at(ours, hours) for hours in (10, 15, 20, 30)] == [50, 30, 10, 10]
    assert compare(ours, points((9, 90), (15, 30), (17, 21), (25, 5))).lined == 1


def test_hours_below_our_cheapest_count_as_missed() -> None:
    assert compare(points((10, 50)), points((9, 90))).ratio == float("inf")


def test_the_excess_is_the_share_of_hours_that_the_front_would_save() -> None:
    assert excess(Point(100, 10), points((75, 10), (60, 11))) == 0.25
    assert excess(Point(100, 10), points((101, 9))) == 0.0


def test_every_family_has_as_many_configurations_and_all_of_them_load() -> None:
    settings = all_settings()
    count = Counter(setting.family for setting in settings)
    assert count == {"native": 48, "hpa": 48, "poolkeeper": 48, "default": 1}
    assert len({setting.label for setting in settings}) == len(settings)
    for setting in settings:
        if setting.yaml:
            assert load(setting.yaml).pools


def test_the_synthetic_series_is_the_same_for_the_same_seed() -> None:
    assert synthetic_csv(2, seed=1) == synthetic_csv(2, seed=1) != synthetic_csv(2, seed=2)
