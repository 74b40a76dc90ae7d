"""What is legal but wrong: values that cannot do what their author wanted."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.config.lint_policies import policy_lints
from shared.config.lint_schedules import schedule_lints
from shared.config.loader import Document
from shared.config.models import Config, Pool, Schedule
from shared.config.places import Places
from shared.config.policy_models import Step, TargetTracking
from shared.config.problems import Problem
from shared.config.units import format_duration


def lint(document: Document, now: datetime | None = None) -> list[Problem]:
    """Look for what is legal but wrong, in file order.

    Args:
        document: a sound configuration.
        now: when given, what has ended by then is told too, and the daylight-saving changes of
            the following year are looked at; else those of 2026.
    """
    config, places = document.config, document.places
    found = {
        *_file_lints(config, places),
        *schedule_lints(config, places, now),
        *_ended_overrides(config, places, now),
    }
    for index, pool in enumerate(config.pools):
        found.update(_pool_lints(config, index, pool, places))
        found.update(policy_lints(index, pool, places))
    return sorted(found)


def _file_lints(config: Config, places: Places) -> Iterator[Problem]:
    if not config.pools:
        yield places.problem(("pools",), "there are no pools: the agent has nothing to do")
    first: dict[str, int] = {}
    for index, pool in enumerate(config.pools):
        known = first.setdefault(pool.instance_pool_id, index)
        if known != index:
            yield places.problem(
                ("pools", index, "instance_pool_id"),
                f"pool {config.pools[known].name!r} has the same OCID: the two would resize one"
                " instance pool against each other",
            )


def _ended_overrides(config: Config, places: Places, now: datetime | None) -> Iterator[Problem]:
    for index, override in enumerate(config.overrides):
        if now is not None and override.until <= now:
            yield places.problem(
                ("overrides", index, "until"), "this override has ended; it can be removed"
            )


def _pool_lints(config: Config, index: int, pool: Pool, places: Places) -> Iterator[Problem]:
    here = ("pools", index)
    yield from _bounds(config, index, pool, places)
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
        if timedelta(0) < window < config.poll_interval:
            yield places.problem(
                (*here, "stabilization", key),
                f"shorter than poll_interval ({format_duration(config.poll_interval)}): one look"
                " is all that it holds",
            )
    written = pool.instance_pool_id.split(".")[3:4]
    if written and written[0].count("-") == 2 and written[0] != pool.region:
        yield places.problem(
            (*here, "region"), f"the OCID of the pool says {written[0]}: one of the two is wrong"
        )


def _bounds(config: Config, index: int, pool: Pool, places: Places) -> Iterator[Problem]:
    here = ("pools", index)
    schedules = [schedule for schedule in config.schedules_of(pool.name) if schedule.active]
    low, high = pool.limits.min, pool.limits.max
    if not pool.policies and not schedules:
        yield places.problem(here, "no policy and no schedule: its size never changes")
    elif low == high:
        yield places.problem(
            (*here, "limits"),
            f"min and max are both {low}: policies and schedules can change nothing",
        )
    elif low == 0 and not _can_leave_zero(pool, schedules):
        yield places.problem(
            (*here, "limits", "min"),
            "nothing can bring the pool back from 0: without instances there is no utilisation."
            " Add a policy on a total (per_instance: true), an at_least schedule, or a min of 1",
        )


def _can_leave_zero(pool: Pool, schedules: list[Schedule]) -> bool:
    return any(_works_at_zero(policy) for policy in pool.policies) or any(
        schedule.mode != "at_most" and schedule.target_instances > 0 for schedule in schedules
    )


def _works_at_zero(policy: TargetTracking | Step) -> bool:
    """Whether a policy can have an opinion while there is no instance that reports."""
    if isinstance(policy, TargetTracking):
        return policy.per_instance
    return policy.query is not None and policy.scale_out is not None and not policy.is_percent


__all__ = ["lint"]
