"""Reason codes: stable words that are stored, counted and tested, each with its meaning."""

from enum import StrEnum
from typing import NamedTuple, Self


class Code(StrEnum):
    """Why. The value is stable for ever; the sentence beside it may get better.

    Attributes:
        meaning: what it tells an operator and when it appears.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A member is its value; the meaning is an attribute."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # gate
    POOL_MISSING = (
        "pool_missing",
        "OCI does not know the pool in this compartment and region, or it is being terminated.",
    )
    POOL_FORBIDDEN = (
        "pool_forbidden",
        "This node may not read the pool: its IAM policy lacks a statement.",
    )
    POOL_UNKNOWN = (
        "pool_unknown",
        "The pool could not be read in this tick; nothing is decided and nothing forgotten.",
    )
    POOL_STOPPED = (
        "pool_stopped",
        "The pool is stopped. Its size is left alone until somebody starts it.",
    )
    POOL_BUSY = (
        "pool_busy",
        "The pool is changing (SCALING, PROVISIONING, STARTING, STOPPING) and takes no new size.",
    )
    POOL_STUCK = (
        "pool_stuck",
        (
            "The pool has been busy for longer than 10 min for each 20 instances that it adds or"
            " removes: its work requests tell why."
        ),
    )
    WRITE_NOT_VISIBLE = (
        "write_not_visible",
        (
            "Our last resize does not show in OCI's answer yet, so that answer is old. It is"
            " believed after 3 min."
        ),
    )
    PAUSED = (
        "paused",
        "The pool's mode is `paused`: nothing is enforced, not even its limits.",
    )
    OBSERVE = (
        "observe",
        "The pool's mode is `observe`: everything is computed, nothing is resized.",
    )
    # bounds
    LIMITS = ("limits", "A schedule's or override's target was cut to the pool's limits.")
    GUARD = ("guard", "The node's local guard moved the floor or the ceiling.")
    OVERRIDE = (
        "override",
        "An override is in force: floor and ceiling are its target, schedules and policies wait.",
    )
    SCHEDULE_FLOOR = ("schedule_floor", "An open schedule keeps at least its target.")
    SCHEDULE_CEILING = ("schedule_ceiling", "An open schedule allows at most its target.")
    FLOOR_ABOVE_CEILING = (
        "floor_above_ceiling",
        "Two open schedules contradict each other; the floor wins.",
    )
    BELOW_FLOOR = (
        "below_floor",
        (
            "The pool is smaller than its floor and is raised, whatever metrics, cooldown,"
            " stabilization and max_step say."
        ),
    )
    ABOVE_CEILING = (
        "above_ceiling",
        (
            "The pool is larger than its ceiling and is lowered, whatever metrics, cooldown,"
            " stabilization and max_step say."
        ),
    )
    AT_FLOOR = ("at_floor", "The policies could do with fewer; the floor stops them.")
    AT_CEILING = ("at_ceiling", "The policies need more; the ceiling stops them.")
    REENTERING = (
        "reentering",
        "The pool left `paused` or `observe` and enters its bounds in steps of max_step.",
    )
    # votes
    NO_DATA = ("no_data", "The policy has no window that is old enough to be trusted.")
    METRIC_STALE = ("metric_stale", "The newest trusted window is older than `stale_after`.")
    METRIC_ERROR = ("metric_error", "The metric could not be read; the sentence says why.")
    SAMPLES_REJECTED = (
        "samples_rejected",
        "Single samples were refused: text, nan, infinite, negative, absurd, duplicate, future.",
    )
    ON_TARGET = ("on_target", "The value is within the tolerance of its target, edges included.")
    OFF_TARGET = ("off_target", "The value is outside the tolerance; value × instances / target.")
    DAMPED = (
        "damped",
        (
            "Members without data or in warm-up were counted in: idle when growing, busy when"
            " shrinking."
        ),
    )
    DEMAND_PERCENTILE = (
        "demand_percentile",
        "The size serves the configured percentile of recent demand.",
    )
    DEMAND_INCOMPLETE = (
        "demand_incomplete",
        (
            "Too little of the demand window is known (half to grow, 80 % to shrink): the newest"
            " value may grow the pool and nothing shrinks it."
        ),
    )
    STEP_OUT = ("step_out", "A scale-out step held in every window of its `for`.")
    STEP_IN = ("step_in", "A scale-in step held in every window of its `for`.")
    NO_BREACH = ("no_breach", "No step of the policy has held for long enough.")
    SIZE_ZERO = (
        "size_zero",
        "No instance runs, so utilisation means nothing; totals and schedules decide.",
    )
    # combination
    LARGEST_NEED = ("largest_need", "Several policies voted; the one named needs the most.")
    PARTIAL_DATA = (
        "partial_data",
        "The policies that see could do with fewer, but one has no data: nothing is removed.",
    )
    ON_MISSING_HOLD = (
        "on_missing_hold",
        "No policy has data and `on_missing_metrics` is `hold`, or is satisfied already.",
    )
    ON_MISSING_AT_LEAST = (
        "on_missing_at_least",
        "No policy has data and `on_missing_metrics` asks for more instances.",
    )
    NO_OPINION = ("no_opinion", "No policy asks for anything: the size stays.")
    SCHEDULE_ONLY = (
        "schedule_only",
        "The pool has schedules and no policies: its floor is its need.",
    )
    NO_POLICIES = (
        "no_policies",
        "The pool has neither policies nor schedules: it is only kept within its limits.",
    )
    # stages
    ANTI_FLAP = (
        "anti_flap",
        "Fewer are removed, because the load on the rest would have scaled out again.",
    )
    STABILIZING_OUT = (
        "stabilizing_out",
        "Within the scale-out stabilization window fewer were enough: the smallest need counts.",
    )
    STABILIZING_IN = (
        "stabilizing_in",
        "Within the scale-in stabilization window more were needed: the largest need counts.",
    )
    NO_HISTORY = (
        "no_history",
        (
            "The scale-in stabilization window was not watched without a hole from its start: a new"
            " pool, lost memory, changed policies, missing data or a stopped agent."
        ),
    )
    MAX_STEP = ("max_step", "One decision moves no more than `max_step`; the rest follows.")
    COOLDOWN_OUT = ("cooldown_out", "The last scale-out settled too recently.")
    COOLDOWN_IN = ("cooldown_in", "The last change in either direction settled too recently.")
    UNSETTLED = (
        "unsettled",
        "The running count is not at the size yet: metrics wait, bounds do not.",
    )
    PARTIALLY_SETTLED = (
        "partially_settled",
        "Fewer instances run than the pool's size although nothing is under way any more.",
    )
    BLOCKED_CAPACITY = (
        "blocked_capacity",
        "OCI was out of capacity or quota: growth backs off, also towards a floor.",
    )
    BLOCKED_WRITES = ("blocked_writes", "A resize failed for good: every resize backs off.")
    REMOVALS_SPENT = (
        "removals_spent",
        "The node's guard allows no more instances to be removed within this hour.",
    )
    CLOCK_SHIFTED = (
        "clock_shifted",
        "The clock was set; remembered instants were shifted with it, so that waits go on.",
    )
    # result
    SCALE_OUT = ("scale_out", "The pool grows; the sentence names the decisive reason.")
    SCALE_IN = ("scale_in", "The pool shrinks; the sentence names the decisive reason.")


class Reason(NamedTuple):
    """A stable code and one sentence that an operator understands."""

    code: Code
    text: str
