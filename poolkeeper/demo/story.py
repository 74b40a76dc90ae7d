"""The story: what happens, what must follow, and how it is read back from PostgreSQL."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from poolkeeper.demo.evidence import Row
from poolkeeper.demo.processes import DemoError, wait_for
from poolkeeper.demo.stage import COMPARTMENT, POOL_ID, REGION, Stage

FLOOR, CEILING, LOWEST = 7, 8, 2
PATIENCE = 40.0
"""Real seconds that any one expectation may take."""


def configuration(
    *, ceiling: int = CEILING, window: tuple[datetime, datetime] | None = None
) -> str:
    """The YAML of the demo; with a schedule that keeps FLOOR instances during `window`."""
    text = f"""\
version: 1
timezone: UTC
poll_interval: 30s
pools:
  - name: web
    instance_pool_id: {POOL_ID}
    compartment_id: {COMPARTMENT}
    region: {REGION}
    limits: {{min: {LOWEST}, max: {ceiling}}}
    policies:
      - {{name: cpu, type: target_tracking, metric: CpuUtilization, target: 60}}
    stabilization: {{scale_in: 2m}}
    cooldown: {{scale_out: 1m, scale_in: 1m}}
    max_step: {{scale_out: 100%, scale_in: 3}}
    warmup: 1m
    metric_lag: 1m
"""
    if window is not None:
        text += f"""\
schedules:
  - name: rush-hour
    pools: [web]
    start: "{window[0]:%H:%M}"
    end: "{window[1]:%H:%M}"
    target_instances: {FLOOR}
"""
    return text


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what happens, and the play that returns what was found."""

    title: str
    play: Callable[["Story"], str]


class Story:
    """Plays the steps on a stage; `narrate` gets each title and finding."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.window: tuple[datetime, datetime] | None = None
        self.outage: tuple[datetime, datetime]

    def seen(self, what: str, look: Callable[[list[Row]], Row | None], since: datetime) -> Row:
        """Wait for a row of pool_analytics that `look` is content with."""
        row: Row = wait_for(
            f"{what} is not in pool_analytics",
            lambda: look(self.stage.evidence.rows(since)),
            PATIENCE,
            self.stage.check_alive,
        )
        return row

    def began(self) -> datetime:
        """Now, as the rows of pool_analytics tell time."""
        return self.stage.now().replace(tzinfo=None)


def _first(rows: list[Row], fits: Callable[[Row], bool]) -> Row | None:
    return next((row for row in rows if fits(row)), None)


def calm(story: Story) -> str:
    """The node gets its first YAML and keeps two idle instances."""
    since = story.began()
    status, output = story.stage.push(configuration())
    if status != 0:
        raise DemoError(f"the first configuration was refused: {output.strip()}")
    story.stage.start_agent()
    row = story.seen("a first look at the pool", lambda rows: rows[-1] if rows else None, since)
    _acknowledged(story)
    return f"{row.size} instances, configuration acknowledged by hash"


def load_rises(story: Story) -> str:
    """Three times the load: the pool grows, and the metric is back near its target."""
    since = story.began()
    story.stage.set_demand(270)
    grown = story.seen(
        "a scale-out", lambda rows: _first(rows, lambda row: row.event == "SCALE_OUT"), since
    )
    calm_again = story.seen(
        "5 running instances",
        lambda rows: _first(rows, lambda row: row.running >= 5 and row.size >= 5),
        since,
    )
    return f"{grown.reason}; {calm_again.running} instances run"


def _acknowledged(story: Story) -> str:
    evidence = story.stage.evidence
    wanted = evidence.active_hash()
    wait_for(
        "the node did not report the hash of its new configuration",
        lambda: wanted is not None and evidence.running_hash() == wanted,
        PATIENCE,
        story.stage.check_alive,
    )
    return str(wanted)


def push(story: Story) -> str:
    """An operator pushes YAML with a schedule; the node applies it and says so by its hash."""
    opens = story.stage.now().replace(second=0, microsecond=0) + timedelta(minutes=4)
    story.window = (opens, opens + timedelta(minutes=9))
    status, output = story.stage.push(configuration(window=story.window))
    if status != 0:
        raise DemoError(f"the configuration was refused: {output.strip()}")
    return f"applied and acknowledged, hash {_acknowledged(story)[:12]}…"


def broken(story: Story) -> str:
    """A broken YAML is refused with line and column, and nothing changes."""
    before = story.stage.evidence.active_hash()
    status, output = story.stage.push(configuration().replace("target: 60", "targett: 60"))
    if status == 0 or "line" not in output or "column" not in output:
        raise DemoError(f"a broken configuration was not refused by line: {output.strip()}")
    if story.stage.evidence.active_hash() != before:
        raise DemoError("a broken configuration became active")
    lines = [line.strip() for line in output.splitlines() if "line" in line]
    return next((line for line in lines if "did you mean" in line), lines[0])


def schedule_opens(story: Story) -> str:
    """The schedule opens: its floor holds although the load asks for less."""
    if story.window is None:
        raise DemoError("there is no schedule")
    opens = story.window[0].replace(tzinfo=None)
    row = story.seen(
        f"the floor of {FLOOR}",
        lambda rows: _first(rows, lambda row: row.size >= FLOOR),
        opens - timedelta(minutes=1),
    )
    late = (row.at - opens).total_seconds()
    early = [row for row in story.stage.evidence.rows() if row.at < opens and row.size >= FLOOR]
    if early:
        raise DemoError(f"the floor was there at {early[0].at}, before the schedule opened")
    return f"{FLOOR} instances, {late:.0f} s after {opens:%H:%M}"


def flood(story: Story) -> str:
    """A flood: the pool grows to limits.max and not by one more."""
    since = story.began()
    story.stage.set_demand(5000)
    story.seen(
        f"the ceiling of {CEILING}",
        lambda rows: _first(rows, lambda row: row.running == CEILING),
        since,
    )
    held = story.seen(
        "a tick held at the ceiling",
        lambda rows: _first(rows, lambda row: row.size == CEILING and "ceiling" in row.reason),
        since,
    )
    above = [row for row in story.stage.evidence.rows() if row.size > CEILING]
    if above:
        raise DemoError(f"the pool had {above[0].size} instances, more than limits.max")
    return held.reason


def alone(story: Story) -> str:
    """Central is stopped while the load falls: the agent goes on by itself."""
    stage = story.stage
    stopped = story.began()
    stage.central.stop()
    stage.set_demand(60)
    wait_for(
        "without central the pool was not scaled in",
        lambda: stage.pool()["size"] < FLOOR,
        PATIENCE,
        stage.check_alive,
    )
    story.outage = (stopped, story.began())
    return f"scaled in to {stage.pool()['size']} with central down"


def reunited(story: Story) -> str:
    """Central is back: what happened meanwhile arrives, and the pool reaches its minimum."""
    stage = story.stage
    stage.start_central()
    stopped, returned = story.outage
    meanwhile = story.seen(
        "the scale-in of the outage",
        lambda rows: _first(rows, lambda row: row.event == "SCALE_IN" and row.at < returned),
        stopped,
    )
    story.seen(
        f"a scale-in to {LOWEST}",
        lambda rows: _first(rows, lambda row: row.size == row.running == LOWEST),
        stopped,
    )
    return f"the scale-in at {meanwhile.at:%H:%M:%S}, made without central, is stored"


def goodbye(story: Story) -> str:
    """The agent stops cleanly; every record that it ever wrote is stored exactly once."""
    stage = story.stage
    stage.agent.stop()
    written, waiting = stage.agent_records()
    acknowledged = sum(stage.evidence.acknowledged().values())
    stored, doubles = stage.evidence.stored_records(), stage.evidence.doubles()
    if doubles:
        raise DemoError(f"{doubles} rows of pool_analytics are there twice")
    if (acknowledged + waiting, stored) != (written, acknowledged):
        raise DemoError(
            f"of {written} records {acknowledged} are acknowledged, {waiting} wait "
            f"and {stored} are stored"
        )
    return f"{written} records written, {stored} stored, none twice"


STEPS = (
    Step("A calm morning: the node gets its YAML", calm),
    Step("Load rises", load_rises),
    Step("An operator pushes new YAML", push),
    Step("A broken YAML is pushed", broken),
    Step("The schedule opens", schedule_opens),
    Step("A flood", flood),
    Step("Central stops, load falls", alone),
    Step("Central returns, the pool shrinks to its minimum", reunited),
    Step("The agent stops", goodbye),
)
