"""What a run cost and how well it served.

Accuracy and time share of provisioning are the elasticity metrics of SPEC Research: N. Herbst et
al., "Ready for Rain? A View from SPEC Research on the Future of Cloud Metrics" (2016), with the
need (the fewest instances that keep utilisation at or below the line) as demand and the running
instances as supply.
"""

import math
from dataclasses import dataclass
from typing import Any

from shared.replay.run import Run


@dataclass(frozen=True, slots=True)
class Score:
    """One run, or a part of it, in numbers.

    Attributes:
        hours: length of what is scored.
        instance_hours: what was asked for, over time; booting instances cost too.
        needed_hours: instance-hours of a perfect scaler that knows the future.
        minutes_under_target: time in which utilisation was above the line.
        share_under_target: the same as a share of all time, 0 to 1.
        minutes_saturated: time in which demand exceeded all that ran.
        over_provisioned_hours: instance-hours that ran beyond the need.
        mean_utilisation: per cent of what ran, demand capped at its capacity.
        resizes_out: accepted resizes that grew the pool.
        resizes_in: accepted resizes that shrank it.
        largest: the largest size.
        accuracy_under: SPEC's theta_U, mean missing share of the need, per cent.
        accuracy_over: SPEC's theta_O, mean excess relative to the need, per cent.
        time_share_under: SPEC's tau_U, per cent of time.
        time_share_over: SPEC's tau_O, per cent of time.
    """

    hours: float
    instance_hours: float
    needed_hours: float
    minutes_under_target: float
    share_under_target: float
    minutes_saturated: float
    over_provisioned_hours: float
    mean_utilisation: float
    resizes_out: int
    resizes_in: int
    largest: int
    accuracy_under: float
    accuracy_over: float
    time_share_under: float
    time_share_over: float


def score(run: Run, first: int = 0, end: int | None = None) -> Score:
    """Score the steps [first, end) of a run."""
    trace, world = run.trace, run.world
    demand = trace.demand[first:end]
    sizes, running = run.sizes[first:end], run.running[first:end]
    needs = [world.needed(value) for value in demand]
    steps, step_hours = len(demand), trace.step.total_seconds() / 3600
    pairs = list(zip(needs, running, strict=True))
    under = [(need, need - served) for need, served in pairs if served < need]
    over = [(max(1, need), served - need) for need, served in pairs if served > need]
    capacities = [world.capacity * count for count in running]
    offered = list(zip(demand, capacities, strict=True))
    served_demand = math.fsum(min(value, capacity) for value, capacity in offered)
    since, until = trace.start + first * trace.step, trace.start + (first + steps) * trace.step
    moves = [move for move in run.resizes if since <= move.at < until]
    return Score(
        hours=steps * step_hours,
        instance_hours=sum(sizes) * step_hours,
        needed_hours=sum(needs) * step_hours,
        minutes_under_target=len(under) * step_hours * 60,
        share_under_target=len(under) / steps,
        minutes_saturated=sum(v > c * (1 + 1e-12) for v, c in offered) * step_hours * 60,
        over_provisioned_hours=sum(excess for _, excess in over) * step_hours,
        mean_utilisation=100 * served_demand / (math.fsum(capacities) or 1.0),
        resizes_out=sum(move.to > move.before for move in moves),
        resizes_in=sum(move.to < move.before for move in moves),
        largest=max(sizes),
        accuracy_under=100 * math.fsum(missing / need for need, missing in under) / steps,
        accuracy_over=100 * math.fsum(excess / need for need, excess in over) / steps,
        time_share_under=100 * len(under) / steps,
        time_share_over=100 * len(over) / steps,
    )


def score_to_json(scored: Score) -> dict[str, Any]:
    """The score as scripts read it; the SPEC metrics stand under `elasticity`."""
    return {
        "hours": round(scored.hours, 4),
        "instance_hours": round(scored.instance_hours, 4),
        "needed_instance_hours": round(scored.needed_hours, 4),
        "minutes_under_target": round(scored.minutes_under_target, 4),
        "share_under_target": round(scored.share_under_target, 6),
        "minutes_saturated": round(scored.minutes_saturated, 4),
        "over_provisioned_instance_hours": round(scored.over_provisioned_hours, 4),
        "mean_utilisation": round(scored.mean_utilisation, 3),
        "resizes": scored.resizes_out + scored.resizes_in,
        "resizes_out": scored.resizes_out,
        "resizes_in": scored.resizes_in,
        "largest_size": scored.largest,
        "elasticity": {
            "accuracy_under": round(scored.accuracy_under, 4),
            "accuracy_over": round(scored.accuracy_over, 4),
            "time_share_under": round(scored.time_share_under, 4),
            "time_share_over": round(scored.time_share_over, 4),
        },
    }
