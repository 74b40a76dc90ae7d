"""`poolkeeper rollout list|show|halt|resume`: patches on their way through the fleet."""

import json

import click

from poolkeeper.listing import Listing
from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences
from shared.wire_edits import RolloutDetail, RolloutView

NUMBER = click.argument("number", type=click.IntRange(1))


EPILOG = """\b
Examples:
  poolkeeper config patch --all --set "pools.*.limits.max=20" --batch 10    begin one
  poolkeeper rollout list
  poolkeeper rollout halt 7
  poolkeeper rollout resume 7
"""


@click.group(epilog=EPILOG)
def rollout() -> None:
    """Rollouts of `poolkeeper config patch`: how far they are, halt, resume."""


@rollout.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@CENTRAL
@JSON
def list_rollouts(limit: int, url: str | None, as_json: bool) -> None:
    """Rollouts, newest first."""
    with errors_as_sentences():
        found = connect(url).ask(list[RolloutView], "GET", "/v1/rollouts", params={"limit": limit})
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in found]))
        return
    table = Listing("ID", "WHEN", "WHO", "STATE", "STAGE", "NODES")
    for one in found:
        when = f"{one.created_at:%Y-%m-%d %H:%M:%S} UTC"
        table.row(str(one.id), when, one.created_by or "-", one.state, _stage(one), _counts(one))
    table.show()


@rollout.command()
@NUMBER
@CENTRAL
@JSON
def show(number: int, url: str | None, as_json: bool) -> None:
    """A rollout with every node."""
    with errors_as_sentences():
        found = connect(url).ask(RolloutDetail, "GET", f"/v1/rollouts/{number}")
    _tell(found, as_json=as_json)


@rollout.command()
@NUMBER
@CENTRAL
@JSON
def halt(number: int, url: str | None, as_json: bool) -> None:
    """Push to no further node; what was pushed stays."""
    with errors_as_sentences():
        found = connect(url).ask(RolloutDetail, "POST", f"/v1/rollouts/{number}/halt")
    _tell(found, as_json=as_json)


@rollout.command()
@NUMBER
@CENTRAL
@JSON
def resume(number: int, url: str | None, as_json: bool) -> None:
    """Go on; nodes that failed get another chance first."""
    with errors_as_sentences():
        found = connect(url).ask(RolloutDetail, "POST", f"/v1/rollouts/{number}/resume")
    _tell(found, as_json=as_json)


def _tell(found: RolloutDetail, *, as_json: bool) -> None:
    if as_json:
        click.echo(found.model_dump_json())
        return
    reason = f": {found.reason}" if found.reason else ""
    click.echo(f"Rollout {found.id} is {found.state}, stage {_stage(found)}{reason}")
    table = Listing("NODE", "STAGE", "STATE", "REASON")
    for node in found.nodes:
        table.row(node.node, str(node.stage), node.state, node.reason or "")
    table.show()


def _stage(one: RolloutView) -> str:
    return f"{one.stage}/{one.stages}"


def _counts(one: RolloutView) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(one.counts.items()))
