"""Sparklines: the last day of many pools, drawn small, asked for at most once a minute."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from central.store import fleet

DAY = timedelta(hours=24)
FRESH = timedelta(seconds=60)
WIDTH, HEIGHT, MARGIN = 96.0, 24.0, 2.0
MOST_CACHED = 64


def polyline(points: Sequence[tuple[datetime, int]], now: datetime) -> str:
    """The points of a step line over the last day; empty without at least one size."""
    if not points:
        return ""
    top = max(1, *(size for _, size in points))
    start = now - DAY
    drawn: list[str] = []
    last: float | None = None
    for at, size in points:
        x = WIDTH * max(0.0, min(1.0, (at - start) / DAY))
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * size / top
        if last is not None:
            drawn.append(f"{x:.1f},{last:.1f}")
        drawn.append(f"{x:.1f},{y:.1f}")
        last = y
    drawn.append(f"{WIDTH:.1f},{last:.1f}")
    return " ".join(drawn)


class SparkCache:
    """Sparklines of the pools that a page shows, kept for a minute by the database's clock."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, ...], tuple[datetime, dict[int, str]]] = {}

    def lines(self, connection: Connection, ids: Sequence[int], now: datetime) -> dict[int, str]:
        """Each pool's polyline; pools without history have none."""
        key = tuple(ids)
        known = self._kept.get(key)
        if known is not None and timedelta(0) <= now - known[0] < FRESH:
            return known[1]
        found = fleet.sparks(connection, key, now - DAY) if key else {}
        lines = {pool: polyline(points, now) for pool, points in found.items()}
        if len(self._kept) >= MOST_CACHED:
            self._kept.clear()
        self._kept[key] = (now, lines)
        return lines
