"""What a run looks like over time, in as few points as tell it."""

from datetime import datetime
from statistics import fmean

from shared.replay.run import Run
from shared.replay.trace import Trace


def size_curve(run: Run) -> list[tuple[datetime, int, int]]:
    """(from when, size, running) wherever one of them changes."""
    curve: list[tuple[datetime, int, int]] = []
    for step, (size, running) in enumerate(zip(run.sizes, run.running, strict=True)):
        if not curve or curve[-1][1:] != (size, running):
            curve.append((run.trace.start + step * run.trace.step, size, running))
    return curve


def demand_curve(trace: Trace, points: int) -> list[tuple[datetime, float]]:
    """(from when, mean demand) in at most so many equal parts."""
    width = -(-len(trace.demand) // points)
    return [
        (trace.start + first * trace.step, fmean(trace.demand[first : first + width]))
        for first in range(0, len(trace.demand), width)
    ]
