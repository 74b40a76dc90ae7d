"""Small edits of configurations: of one node's, or the same ones of many in a staged rollout."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from shared.wire import Message

MOST_NODES = 2000
_Name = Annotated[str, Field(min_length=1, max_length=63)]
_Path = Annotated[
    str,
    Field(
        min_length=1,
        max_length=300,
        description="Keys with dots between them; lists by name, `*` for several:"
        " pools.*.limits.max, schedules.office-hours.active, pools[a.b].mode.",
    ),
]
_Size = Annotated[int, Field(ge=0, le=1_000_000)]
Nodes = Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=MOST_NODES)]


class SetValue(Message):
    """Give a key a value."""

    kind: Literal["set"] = "set"
    path: _Path
    value: Any


class Unset(Message):
    """Take a key away, so that its default applies."""

    kind: Literal["unset"] = "unset"
    path: _Path


class SetLimits(Message):
    """Change a pool's limits; what is not given stays."""

    kind: Literal["limits"] = "limits"
    pool: _Name
    min: _Size | None = None
    max: _Size | None = None


class SetMode(Message):
    """Activate, observe or pause a pool."""

    kind: Literal["mode"] = "mode"
    pool: _Name
    mode: Literal["active", "observe", "paused"]


class PutOverride(Message):
    """Hold a pool at a size until an instant; replaces the override that the pool has."""

    kind: Literal["override"] = "override"
    pool: _Name
    target_instances: _Size
    until: AwareDatetime
    reason: str = Field(min_length=1, max_length=500)


class EndOverride(Message):
    """End a pool's override now."""

    kind: Literal["end_override"] = "end_override"
    pool: _Name


class AddSchedule(Message):
    """Add a schedule, written with the keys of the YAML."""

    kind: Literal["add_schedule"] = "add_schedule"
    schedule: dict[str, Any]


class RemoveSchedule(Message):
    """Take a schedule out."""

    kind: Literal["remove_schedule"] = "remove_schedule"
    schedule: _Name


class SetScheduleActive(Message):
    """Suspend a schedule, or let it apply again."""

    kind: Literal["schedule_active"] = "schedule_active"
    schedule: _Name
    active: bool


Edit = Annotated[
    SetValue
    | Unset
    | SetLimits
    | SetMode
    | PutOverride
    | EndOverride
    | AddSchedule
    | RemoveSchedule
    | SetScheduleActive,
    Field(discriminator="kind"),
]
Edits = Annotated[list[Edit], Field(min_length=1, max_length=100)]
Shrink = Annotated[int, Field(ge=0, le=1_000_000)]


class Terminates(Message):
    """Instances that run now and that a configuration would terminate at once."""

    pool: str
    terminates: int
    of: int


class EditRequest(Message):
    """POST /v1/nodes/{name}/config/edits. `If-Match` names the hash that was edited."""

    edits: Edits
    dry_run: bool = False
    allow_shrink: Shrink = 0


class EditedConfig(Message):
    """What edits make of a node's configuration; `generation` is null after a dry run."""

    node: str
    base_hash: str
    config_hash: str
    changed: bool
    diff: str
    terminates: list[Terminates]
    generation: int | None = None


class Adoption(Message):
    """GET and POST /v1/nodes/{name}/config/adopt: what became of what the node runs."""

    node: str
    state: Literal["asked", "sent", "adopted", "refused"]
    reason: str | None
    config_hash: str | None
    generation: int | None
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None


class RolloutRequest(Message):
    """POST /v1/rollouts: the same edits for many nodes, `batch` of them at a time."""

    nodes: Nodes = Field(default_factory=list, description="By name; or a region, or all.")
    region: str | None = Field(None, max_length=100)
    all: bool = False
    edits: Edits
    batch: int = Field(1, ge=1, le=MOST_NODES)
    allow_shrink: Shrink = 0
    deadline_seconds: int = Field(600, ge=30, le=86_400)
    skip_silent: bool = Field(default=False, description="Leave out nodes that are not ACTIVE.")
    dry_run: bool = False


class NodePatch(Message):
    """What edits make of one of many nodes."""

    node: str
    state: Literal["changes", "unchanged", "left_out"]
    reason: str | None = None
    base_hash: str | None = None
    config_hash: str | None = None
    diff: str = ""
    terminates: list[Terminates] = Field(default_factory=list)


class RolloutPlan(Message):
    """What a rollout would do, or does: `id` is null after a dry run."""

    id: int | None = None
    terminates: int
    stages: int
    nodes: list[NodePatch]


class RolloutView(Message):
    """A rollout and how far it has come; `counts` of its nodes by state."""

    id: int
    state: Literal["running", "halted", "done"]
    reason: str | None
    stage: int
    stages: int
    batch: int
    allow_shrink: int
    terminated: int
    deadline_seconds: int
    edits: list[dict[str, Any]]
    counts: dict[str, int]
    created_at: AwareDatetime
    created_by: str | None
    finished_at: AwareDatetime | None


class RolloutNode(Message):
    """One node of a rollout."""

    node: str
    stage: int
    state: Literal["waiting", "pushed", "applied", "skipped", "failed"]
    reason: str | None
    base_hash: str
    config_hash: str
    pushed_at: AwareDatetime | None
    finished_at: AwareDatetime | None


class RolloutDetail(RolloutView):
    """A rollout with its nodes."""

    nodes: list[RolloutNode]
