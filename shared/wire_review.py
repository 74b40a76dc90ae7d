"""A configuration before it is saved: what is wrong with it, what it would do and have done.

Instants are aware UTC.
"""

from datetime import datetime

from pydantic import AwareDatetime, Field

from shared.wire import Message
from shared.wire_edits import Terminates


class Finding(Message):
    """One problem or lint with its place; line and column count from 1."""

    line: int
    column: int
    path: str
    message: str


class CheckedConfig(Message):
    """POST /v1/config/check. A text with problems cannot be used; warnings are lints."""

    usable: bool
    config_hash: str | None = Field(description="Null when the text cannot be used.")
    problems: list[Finding]
    warnings: list[Finding]


class BoundsChange(Message):
    """From `at` on a pool's bounds are these, because of these."""

    at: AwareDatetime
    local: datetime
    floor: int
    ceiling: int
    schedules: list[str]
    override: str | None
    clock_change: str | None = None


class ClockShift(Message):
    """The local clocks go forward or back."""

    at: AwareDatetime
    direction: str
    minutes: int


class PoolPreview(Message):
    """What schedules and overrides will do to a pool.

    `as_now` tells that the active configuration would do the same; `complete` is false where the
    list was cut off.
    """

    pool: str
    timezone: str
    changes: list[BoundsChange]
    clock_changes: list[ClockShift]
    as_now: bool
    complete: bool = True


class ConfigReview(Message):
    """POST /v1/nodes/{name}/config/review: a usable text beside the active configuration.

    `refusal` is why a push of it would be refused because of who owns its pools.
    `previews` are of pools with schedules or overrides; `previews_left_out` counts those beyond.
    """

    node: str
    base_hash: str | None
    base_generation: int | None
    config_hash: str
    changed: bool
    diff: str
    warnings: list[Finding]
    terminates: list[Terminates]
    refusal: str | None = None
    retires: list[str] = Field(default_factory=list, description="Pools that leave the YAML.")
    pools: list[str]
    touched: list[str] = Field(
        default_factory=list, description="Pools whose own section, with defaults, changes."
    )
    preview_days: int
    previews: list[PoolPreview]
    previews_left_out: int = 0


class ReplayedResize(Message):
    """A resize that a configuration would have made, and why."""

    at: AwareDatetime
    before: int
    to: int
    code: str
    text: str


class ReplayedRun(Message):
    """What a configuration would have done; the size curve is [from when, size, running]."""

    config_hash: str
    instance_hours: float
    minutes_under_target: float
    minutes_saturated: float
    mean_utilisation: float
    resizes_out: int
    resizes_in: int
    largest_size: int
    skipped: list[str] = Field(description="Policies that the history cannot feed.")
    size_curve: list[tuple[AwareDatetime, int, int]]
    resizes: list[ReplayedResize]


class RecordedRun(Message):
    """What really happened, as the history tells it, in the same measures."""

    instance_hours: float
    minutes_under_target: float
    resizes: int
    largest_size: int
    size_curve: list[tuple[AwareDatetime, int]]


class ReplayReport(Message):
    """POST /v1/nodes/{name}/config/replay.

    Demand is in units of one instance's whole CPU capacity. `under target` is a utilisation above
    `line`. `current` is the active configuration, null where it has no such pool; `proposed` the
    one that was sent, null without one. `notes` say what the replay could not know.
    """

    node: str
    pool: str
    start: AwareDatetime
    end: AwareDatetime
    recorded_every_seconds: int
    decided_every_seconds: int
    line: float
    boot_seconds: int
    lag_seconds: int
    start_size: int
    demand: list[tuple[AwareDatetime, float]]
    recorded: RecordedRun
    current: ReplayedRun | None
    proposed: ReplayedRun | None
    notes: list[str]
