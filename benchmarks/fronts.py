"""Pareto fronts of instance-hours and minutes under target, and how one compares with another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One configuration's cost and service in one half of a series."""

    hours: float
    minutes: float
    label: str = ""


def front(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats in both, cheapest first."""
    kept: list[Point] = []
    for point in sorted(points):
        if not kept or point.minutes < kept[-1].minutes:
            kept.append(point)
    return kept


def minutes_at(points: Iterable[Point], hours: float) -> float | None:
    """The fewest minutes that any of the points reaches at no more than these hours."""
    return min((point.minutes for point in points if point.hours <= hours), default=None)


def line_at(points: Iterable[Point], hours: float) -> float | None:
    """The minutes at these hours on the line through the front's points.

    Whoever uses two neighbours in turn gets there. None left of the cheapest point.
    """
    kept = front(points)
    before = [point for point in kept if point.hours <= hours]
    if not before:
        return None
    if len(before) == len(kept):
        return kept[-1].minutes
    left, right = before[-1], kept[len(before)]
    share = (hours - left.hours) / (right.hours - left.hours)
    return left.minutes + share * (right.minutes - left.minutes)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How `ours` does at the hours of each point of `theirs`.

    Attributes:
        points: how many points their front has.
        covered: at how many of them ours needs no more hours and no more minutes.
        lined: the same with the line through our points in place of the points.
        halved: at how many ours has at most half the minutes.
        ratio: the median of our minutes over theirs (1 where neither has any).
    """

    points: int
    covered: int
    lined: int
    halved: int
    ratio: float


def compare(ours: Sequence[Point], theirs: Sequence[Point]) -> Comparison:
    """Compare two sets of points; theirs is reduced to its front."""
    ratios = []
    for point in front(theirs):
        minutes = minutes_at(ours, point.hours)
        if minutes is None:
            ratios.append(float("inf"))
        elif point.minutes == 0:
            ratios.append(1.0 if minutes == 0 else float("inf"))
        else:
            ratios.append(minutes / point.minutes)
    middle = sorted(ratios)[len(ratios) // 2]
    covered, halved = sum(r <= 1 for r in ratios), sum(r <= 0.5 for r in ratios)
    lines = [(line_at(ours, point.hours), point.minutes) for point in front(theirs)]
    lined = sum(minutes is not None and minutes <= theirs_has for minutes, theirs_has in lines)
    return Comparison(len(ratios), covered, lined, halved, middle)


def excess(point: Point, points: Iterable[Point]) -> float:
    """How far a point lies behind a front: the share of its hours that the front would save.

    0 means that nothing reaches its minutes for fewer hours.
    """
    cheapest = min((p.hours for p in points if p.minutes <= point.minutes), default=point.hours)
    return max(0.0, 1 - cheapest / point.hours)
