"""One tick without acting, as rows that say what would happen and why."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agent.act import Outcome
from agent.compose import build
from agent.errors import SettingsError
from agent.settings import Settings
from agent.surroundings import Surroundings
from shared.engine.codec import decision_to_json
from shared.engine.model import Decision
from shared.engine.outlook import outlook
from shared.engine.plan import Plan

_COLOURS = {"scale_out": "green", "scale_in": "yellow", "hold": "default"}
_UNSEEN = frozenset({"pool_missing", "pool_forbidden", "pool_unknown"})
_OWN_FILES = ("config.json", "state.json", "writes")


def plan_once(settings: Settings, around: Surroundings) -> list[dict[str, Any]]:
    """Observe and decide once for every pool.

    It works on a copy of the state, so that a running agent on the same directory is not
    disturbed, and its memory of needs and cooldowns counts all the same.

    Raises:
        SettingsError: there is no configuration to plan with.
    """
    rows: list[dict[str, Any]] = []

    def note(plan: Plan, decision: Decision, outcome: Outcome | None) -> None:
        del outcome
        found = decision_to_json(decision, lambda held: outlook(plan, held, around.clock.now()))
        del found["memory"]
        codes = {reason["code"] for reason in found["reasons"]}
        rows.append({"pool": plan.pool.name, "seen": not codes & _UNSEEN, **found})

    with tempfile.TemporaryDirectory(prefix="poolkeeper-plan-") as scratch:
        _copy_state(settings.state_dir, Path(scratch))
        alone = replace(settings, state_dir=Path(scratch), central_url=None, trace_file=None)
        agent = build(alone, replace(around, threads=0, on_decision=note))
        try:
            agent.start()
            agent.tick()
            if agent.configs.running is None:
                raise SettingsError("there is no configuration to plan with: give --config FILE")
        finally:
            agent.close()
    return rows


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each pool: its size, where it would go, and the decisive reason."""
    table = Table(box=None, pad_edge=False)
    for heading in ("POOL", "SIZE", "BOUNDS", "WOULD", "WHY"):
        table.add_column(heading)
    for row in rows:
        bounds = f"{row['bounds']['floor']}–{row['bounds']['ceiling']}"
        would = "hold" if row["action"] == "hold" else f"→ {row['desired']}"
        why = "\n".join([row["reasons"][-1]["text"], *row.get("outlook", [])])
        colour = _COLOURS[row["action"]]
        size = str(row["current"]) if row["seen"] else "?"
        table.add_row(row["pool"], size, bounds, f"[{colour}]{would}[/{colour}]", why)
    Console().print(table)


def _copy_state(source: Path, target: Path) -> None:
    for name in _OWN_FILES:
        path = source / name
        if path.is_dir():
            shutil.copytree(path, target / name)
        elif path.exists():
            shutil.copy2(path, target / name)
