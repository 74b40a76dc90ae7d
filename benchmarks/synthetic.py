"""A seeded synthetic series: daily and weekly rhythm, drift, bursts and noise, every 5 minutes."""

import math
import random
from datetime import UTC, datetime, timedelta

POINTS_A_DAY = 288


def synthetic_csv(days: int = 28, seed: int = 1) -> str:
    """The series as CSV text; the same seed gives the same bytes."""
    chance = random.Random(seed)
    drift, burst, at = 0.0, 0.0, datetime(2026, 1, 5, tzinfo=UTC)
    rows = ["timestamp,value"]
    for point in range(days * POINTS_A_DAY):
        day, weekday = point % POINTS_A_DAY / POINTS_A_DAY, point // POINTS_A_DAY % 7
        level = (
            600
            + 350 * math.sin(math.tau * (day - 0.3))
            + 120 * math.sin(2 * math.tau * (day - 0.1))
        )
        level *= 0.6 if weekday >= 5 else 1.0
        drift = 0.9 * drift + chance.gauss(0, 0.04)
        burst = chance.uniform(0.3, 1.0) if chance.random() < 1 / 400 else 0.93 * burst
        value = max(1.0, level * (1 + drift + burst) + chance.gauss(0, 25))
        rows.append(f"{at.isoformat()},{value:.1f}")
        at += timedelta(minutes=5)
    return "\n".join(rows) + "\n"
