"""`poolkeeper decide`: one pure decision from a file, explained."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poolkeeper.inputs import Failure, plan_of, prints_json, read_config, read_text
from shared.engine.codec import decision_to_json, memory_from_json, observation_from_json
from shared.engine.decide import decide as decide_pool
from shared.engine.model import Memory, Observation
from shared.engine.outlook import outlook
from shared.engine.plan import Plan


@click.command()
@click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The YAML configuration.",
)
@click.option("--pool", required=True, help="The pool's name in it.")
@click.option(
    "--input",
    "input_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The observation as JSON; - reads standard input.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON also on a terminal.")
def decide(config_path: Path, pool: str, input_path: Path, *, as_json: bool) -> None:
    """Decide once for one pool, and say why. Nothing is read from or written to OCI.

    The input holds `now`, `pool`, `metrics` and, as known, `blocked`, `guard` and `memory`.
    Feed the `memory` of the answer into the next input to run a timeline. Exit status: 0 for
    every decision, hold too; 2 for bad input.
    """
    plan = plan_of(read_config(config_path), pool)
    seen, memory = _read_input(input_path, plan)
    decision = decide_pool(plan, seen, memory)
    answer = decision_to_json(decision, lambda made: outlook(plan, made, seen.now))
    if prints_json(asked=as_json):
        click.echo(json.dumps(answer, allow_nan=False))
    else:
        _show(pool, answer)


def _read_input(path: Path, plan: Plan) -> tuple[Observation, Memory]:
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Failure(f"{path}: not JSON: {error.msg} at {place}") from None
    except (ValueError, RecursionError):
        raise Failure(f"{path}: not usable JSON: nested too deeply or a number too long") from None
    if not isinstance(content, dict):
        raise Failure(f"{path}: must be a JSON object with now, pool and metrics")
    kept = content.pop("memory", None)
    try:
        seen = observation_from_json(content)
        memory = Memory() if kept is None else memory_from_json(kept)
    except ValueError as error:
        raise Failure(f"{path}: {error}") from None
    known = [name for name, _, _ in plan.voters]
    for name in seen.metrics:
        if name not in known:
            policies = ", ".join(known) or "no policies"
            click.echo(f"Warning: metrics.{name} is not used: the pool has {policies}.", err=True)
    return seen, memory


def _show(pool: str, answer: dict[str, Any]) -> None:
    """The decision for people: the verdict, the votes, every stage's word, what comes next."""
    console = Console(highlight=False)
    verbs = {"scale_out": "scale out", "scale_in": "scale in", "hold": "hold"}
    colours = {"scale_out": "bold yellow", "scale_in": "bold cyan", "hold": "bold green"}
    action, current, desired = answer["action"], answer["current"], answer["desired"]
    sizes = f"at {current}" if action == "hold" else f"from {current} to {desired}"
    bounds = answer["bounds"]
    headline = Text(f"{pool}: ")
    headline.append(f"{verbs[action]} {sizes}", style=colours[action])
    headline.append(f"   bounds {bounds['floor']} to {bounds['ceiling']}, {answer['status']}")
    console.print(headline)
    if answer["votes"]:
        console.print(_votes(answer["votes"]))
    reasons = Table("stage's reason", "in words", box=None, pad_edge=False)
    for reason in answer["reasons"]:
        reasons.add_row(Text(reason["code"], style="dim"), Text(reason["text"]))
    console.print(reasons)
    for line in answer["outlook"]:
        console.print(Text(f"next: {line}", style="dim"))


def _votes(votes: list[dict[str, Any]]) -> Table:
    table = Table("policy", "value", "wants", "grows above", "shrinks below", box=None)
    for vote in votes:
        wants = {"no_data": "no data", "no_opinion": "nothing"}.get(vote["opinion"])
        table.add_row(
            Text(vote["policy"]),
            "–" if vote["value"] is None else f"{vote['value']:g}",
            wants or str(vote["wanted"]),
            _edge(vote["grows"]),
            _edge(vote["shrinks"]),
        )
    return table


def _edge(edge: dict[str, Any] | None) -> str:
    return "–" if edge is None else f"{edge['value']:.4g} → {edge['size']}"
