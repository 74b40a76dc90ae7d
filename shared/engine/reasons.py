"""Reason codes: stable words that are stored, counted and tested, each with its meaning."""

from enum import StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """Why. The value is stable for ever; the sentence beside it may get better."""

    # gate
    POOL_MISSING = "pool_missing"
    POOL_FORBIDDEN = "pool_forbidden"
    POOL_UNKNOWN = "pool_unknown"
    POOL_STOPPED = "pool_stopped"
    POOL_BUSY = "pool_busy"
    POOL_STUCK = "pool_stuck"
    WRITE_NOT_VISIBLE = "write_not_visible"
    PAUSED = "paused"
    OBSERVE = "observe"
    # bounds
    LIMITS = "limits"
    GUARD = "guard"
    OVERRIDE = "override"
    SCHEDULE_FLOOR = "schedule_floor"
    SCHEDULE_CEILING = "schedule_ceiling"
    FLOOR_ABOVE_CEILING = "floor_above_ceiling"
    BELOW_FLOOR = "below_floor"
    ABOVE_CEILING = "above_ceiling"
    AT_FLOOR = "at_floor"
    AT_CEILING = "at_ceiling"
    REENTERING = "reentering"
    # votes
    NO_DATA = "no_data"
    METRIC_STALE = "metric_stale"
    METRIC_ERROR = "metric_error"
    SAMPLES_REJECTED = "samples_rejected"
    ON_TARGET = "on_target"
    OFF_TARGET = "off_target"
    DAMPED = "damped"
    DEMAND_PERCENTILE = "demand_percentile"
    DEMAND_INCOMPLETE = "demand_incomplete"
    STEP_OUT = "step_out"
    STEP_IN = "step_in"
    NO_BREACH = "no_breach"
    SIZE_ZERO = "size_zero"
    # combination
    LARGEST_NEED = "largest_need"
    PARTIAL_DATA = "partial_data"
    ON_MISSING_HOLD = "on_missing_hold"
    ON_MISSING_AT_LEAST = "on_missing_at_least"
    NO_OPINION = "no_opinion"
    SCHEDULE_ONLY = "schedule_only"
    NO_POLICIES = "no_policies"
    # stages
    ANTI_FLAP = "anti_flap"
    STABILIZING_OUT = "stabilizing_out"
    STABILIZING_IN = "stabilizing_in"
    NO_HISTORY = "no_history"
    MAX_STEP = "max_step"
    COOLDOWN_OUT = "cooldown_out"
    COOLDOWN_IN = "cooldown_in"
    UNSETTLED = "unsettled"
    PARTIALLY_SETTLED = "partially_settled"
    BLOCKED_CAPACITY = "blocked_capacity"
    BLOCKED_WRITES = "blocked_writes"
    REMOVALS_SPENT = "removals_spent"
    CLOCK_SHIFTED = "clock_shifted"
    # result
    SCALE_OUT = "scale_out"
    SCALE_IN = "scale_in"


class Reason(NamedTuple):
    """A stable code and one sentence that an operator understands."""

    code: Code
    text: str
