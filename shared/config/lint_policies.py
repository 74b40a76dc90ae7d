"""Lints of a pool's policies: thresholds that fight, cannot be reached, or see no data."""

from collections.abc import Iterator
from fractions import Fraction

from shared.config.models import Pool
from shared.config.places import Places
from shared.config.policy_models import InLadder, OutLadder, Step, TargetTracking
from shared.config.problems import Location, Problem
from shared.config.units import Amount, format_duration


def policy_lints(index: int, pool: Pool, places: Places) -> Iterator[Problem]:
    """What is legal but wrong in the policies of the pool at a position of the file."""
    for position, policy in enumerate(pool.policies):
        here: Location = ("pools", index, "policies", position)
        yield from _freshness(index, pool, policy, places)
        if isinstance(policy, TargetTracking):
            yield from _target(here, policy, places)
            yield from _headroom(here, pool, policy, places)
        else:
            yield from _percent_thresholds(here, policy, places)
            yield from _undone(here, pool, policy, places)
            for key, ladder in (("scale_out", policy.scale_out), ("scale_in", policy.scale_in)):
                if ladder is not None:
                    yield from _ladder((*here, key), ladder, policy, pool, places)


def _freshness(
    index: int, pool: Pool, policy: TargetTracking | Step, places: Places
) -> Iterator[Problem]:
    oldest = pool.metric_lag + policy.effective_interval
    if pool.stale_after < oldest:
        yield places.problem(
            ("pools", index, "stale_after"),
            f"shorter than metric_lag and one metric window ({format_duration(oldest)}): policy"
            f" {policy.name!r} would be without data again and again",
        )


def _target(here: Location, policy: TargetTracking, places: Places) -> Iterator[Problem]:
    if policy.is_percent and policy.per_instance:
        yield places.problem(
            (*here, "per_instance"), "a percentage is not a total to divide over the instances"
        )
    if policy.is_percent:
        yield from _percentage((*here, "target"), policy.target, places)
    if policy.demand is not None and policy.demand.window < 2 * policy.effective_interval:
        yield places.problem(
            (*here, "demand", "window"),
            "holds a single metric window: a percentile of one value is that value",
        )


def _headroom(
    here: Location, pool: Pool, policy: TargetTracking, places: Places
) -> Iterator[Problem]:
    if policy.headroom and policy.headroom >= pool.limits.max:
        yield places.problem(
            (*here, "headroom"),
            f"keeps the pool at its largest, {pool.limits.max}, whatever the load is",
        )


def _percent_thresholds(here: Location, policy: Step, places: Places) -> Iterator[Problem]:
    if not policy.is_percent:
        return
    for rung, out in enumerate(policy.scale_out.steps if policy.scale_out else ()):
        yield from _percentage((*here, "scale_out", "steps", rung, "above"), out.above, places)
    for rung, step in enumerate(policy.scale_in.steps if policy.scale_in else ()):
        yield from _percentage((*here, "scale_in", "steps", rung, "below"), step.below, places)


def _percentage(location: Location, value: Fraction, places: Places) -> Iterator[Problem]:
    never = value >= 100 if location[-1] == "above" else value > 100
    if never:
        yield places.problem(location, "a percentage never gets there: it ends at 100")
    elif 0 < value <= 1:
        yield places.problem(location, "percentages are written from 0 to 100: 60 means 60 %")


def _undone(here: Location, pool: Pool, policy: Step, places: Places) -> Iterator[Problem]:
    """A scale-in that the scale-out rule would undo, at the smallest size that can shrink.

    Removing one of n instances turns a value v into v × n / (n - 1).
    """
    thresholds = [
        step.above
        for other in pool.policies
        if isinstance(other, Step) and other.scale_out and _source(other) == _source(policy)
        for step in other.scale_out.steps
    ]
    size = max(pool.limits.min, 1) + 1
    if not thresholds or policy.scale_in is None or size > pool.limits.max:
        return
    lowest = min(thresholds)
    for rung, step in enumerate(policy.scale_in.steps):
        projected = step.below * size / (size - 1)
        if projected > lowest:
            yield places.problem(
                (*here, "scale_in", "steps", rung, "below"),
                f"just below {float(step.below):g} on {size} instances is"
                f" {float(projected):.3g} on {size - 1}, which scale_out above {float(lowest):g}"
                f" would undo; {float(lowest * (size - 1) / size):.3g} or less is safe",
            )


def _source(policy: Step) -> tuple[str | None, ...]:
    """What tells two readings apart."""
    return (
        policy.source,
        policy.metric,
        policy.query,
        policy.statistic or "mean",
        policy.namespace,
        policy.resource_group,
        policy.metric_compartment_id,
    )


def _ladder(
    here: Location, ladder: OutLadder | InLadder, policy: Step, pool: Pool, places: Places
) -> Iterator[Problem]:
    if ladder.for_ < policy.effective_interval:
        yield places.problem(
            (*here, "for"),
            f"shorter than one metric window ({format_duration(policy.effective_interval)}):"
            " a single window decides",
        )
    growing = isinstance(ladder, OutLadder)
    most = pool.max_step.scale_out if growing else pool.max_step.scale_in
    rungs = _amounts(ladder)
    word = "add" if growing else "remove"
    for rung, (threshold, amount) in enumerate(rungs):
        location = (*here, "steps", rung, word)
        if amount.is_percent == most.is_percent and amount.value > most.value:
            yield places.problem(location, f"{here[-1]} is limited to {most} by max_step")
        beyond = [
            other
            for limit, other in rungs
            if (limit < threshold if growing else limit > threshold)
            and other.is_percent == amount.is_percent
        ]
        if any(other.value > amount.value for other in beyond):
            yield places.problem(location, "a nearer step does more than this farther one")


def _amounts(ladder: OutLadder | InLadder) -> list[tuple[Fraction, Amount]]:
    if isinstance(ladder, OutLadder):
        return [(step.above, step.add) for step in ladder.steps]
    return [(step.below, step.remove) for step in ladder.steps]
