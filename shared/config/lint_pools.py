"""Lints of a pool's bounds and tempers, policies aside."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from shared.config.models import Config, Pool, Schedule
from shared.config.places import Places
from shared.config.policy_models import Step, TargetTracking
from shared.config.problems import Problem
from shared.config.units import format_duration


@dataclass(frozen=True, slots=True)
class Reach:
    """What the schedules of a file do to its pools.

    Attributes:
        concerned: the pools that any active schedule concerns.
        lifted: those for which one sets a floor above 0.
    """

    concerned: frozenset[str]
    lifted: frozenset[str]


def reach_of_schedules(config: Config) -> Reach:
    """Look at every schedule once."""
    active = [schedule for schedule in config.schedules if schedule.active]
    lifting = [s for s in active if s.mode != "at_most" and s.target_instances > 0]
    everybody = frozenset(pool.name for pool in config.pools)

    def named(schedules: list[Schedule]) -> frozenset[str]:
        if any(schedule.pools is None for schedule in schedules):
            return everybody
        return frozenset(name for schedule in schedules for name in schedule.pools or ())

    return Reach(concerned=named(active), lifted=named(lifting))


def pool_lints(
    index: int, pool: Pool, reach: Reach, poll_interval: timedelta, places: Places
) -> Iterator[Problem]:
    """What is legal but wrong in the bounds and tempers of the pool at a position of the file."""
    here = ("pools", index)
    yield from _bounds(index, pool, reach, places)
    if pool.cooldown.scale_in < pool.warmup:
        yield places.problem(
            (*here, "cooldown", "scale_in"),
            f"cooldown.scale_in ({format_duration(pool.cooldown.scale_in)}) is shorter than warmup"
            f" ({format_duration(pool.warmup)}): instances may be removed again before they count",
        )
    for key, window in (
        ("scale_out", pool.stabilization.scale_out),
        ("scale_in", pool.stabilization.scale_in),
    ):
        if timedelta(0) < window < poll_interval:
            yield places.problem(
                (*here, "stabilization", key),
                f"shorter than poll_interval ({format_duration(poll_interval)}): one look"
                " is all that it holds",
            )
    written = pool.instance_pool_id.split(".")[3:4]
    if written and written[0].count("-") == 2 and written[0] != pool.region:
        yield places.problem(
            (*here, "region"), f"the OCID of the pool says {written[0]}: one of the two is wrong"
        )


def _bounds(index: int, pool: Pool, reach: Reach, places: Places) -> Iterator[Problem]:
    here = ("pools", index)
    low, high = pool.limits.min, pool.limits.max
    if not pool.policies and pool.name not in reach.concerned:
        yield places.problem(here, "no policy and no schedule: its size never changes")
    elif low == high:
        yield places.problem(
            (*here, "limits"),
            f"min and max are both {low}: policies and schedules can change nothing",
        )
    elif low == 0 and not _can_leave_zero(pool, reach):
        yield places.problem(
            (*here, "limits", "min"),
            "nothing can bring the pool back from 0: without instances there is no utilisation."
            " Add a policy on a total (per_instance: true), an at_least schedule, or a min of 1",
        )


def _can_leave_zero(pool: Pool, reach: Reach) -> bool:
    return pool.name in reach.lifted or any(_works_at_zero(policy) for policy in pool.policies)


def _works_at_zero(policy: TargetTracking | Step) -> bool:
    """Whether a policy can have an opinion while there is no instance that reports."""
    if isinstance(policy, TargetTracking):
        return policy.per_instance
    return policy.query is not None and policy.scale_out is not None and not policy.is_percent
