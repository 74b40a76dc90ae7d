"""`poolkeeper config patch`: the same edits for many nodes, k of them at a time."""

import time
from typing import Any

import click

from poolkeeper.commands_config_remote import SHRINK
from poolkeeper.commands_node_care import Duration
from poolkeeper.listing import plain
from poolkeeper.operator_client import (
    CENTRAL,
    JSON,
    OperatorClient,
    OperatorError,
    connect,
    errors_as_sentences,
)
from poolkeeper.progress import counting
from shared.edit_lines import assignment
from shared.wire_edits import Edit, RolloutDetail, RolloutPlan, SetValue, Unset

POLL_SECONDS = 1.0


class Assignment(click.ParamType[SetValue]):
    """PATH=VALUE, the value as YAML writes it."""

    name = "assignment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> SetValue:
        """Read it, or refuse it as click does."""
        try:
            return assignment(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--nodes", help="Names with commas between them.")
@click.option("--region", help="Every node of a region.")
@click.option("--all", "every", is_flag=True, help="Every node.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    type=Assignment(),
    metavar="PATH=VALUE",
    help="Such as pools.*.limits.max=20 or schedules.office-hours.active=false.",
)
@click.option("--unset", "unsets", multiple=True, metavar="PATH", help="Take a key away.")
@click.option("--batch", metavar="K", default=1, show_default=True, type=click.IntRange(1, 2000))
@click.option("--deadline", type=Duration(), default="10m", show_default=True)
@click.option("--skip-silent", is_flag=True, help="Leave out nodes that are not ACTIVE.")
@SHRINK
@click.option("--dry-run", is_flag=True, help="Only show what would change on each node.")
@click.option("--wait", is_flag=True, help="Until it is done or halted (exit status 1).")
@CENTRAL
@JSON
def patch(  # noqa: PLR0913 # click passes each option by name
    *,
    nodes: str | None,
    region: str | None,
    every: bool,
    sets: tuple[SetValue, ...],
    unsets: tuple[str, ...],
    batch: int,
    deadline: int,
    skip_silent: bool,
    allow_shrink: int,
    dry_run: bool,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Edit many nodes alike: shown for each, checked for all, then K at a time.

    The next nodes follow when these have applied theirs; the first failure halts the rest.
    """
    if sum((nodes is not None, region is not None, every)) != 1:
        raise click.UsageError("Say which nodes: --nodes A,B or --region R or --all.")
    edits: list[Edit] = [*sets, *(Unset(path=path) for path in unsets)]
    if not edits:
        raise click.UsageError("Say what to change: --set PATH=VALUE or --unset PATH.")
    body = {
        "nodes": [name.strip() for name in (nodes or "").split(",") if name.strip()],
        "region": region,
        "all": every,
        "edits": [edit.model_dump(mode="json") for edit in edits],
        "batch": batch,
        "deadline_seconds": deadline,
        "skip_silent": skip_silent,
        "allow_shrink": allow_shrink,
        "dry_run": dry_run,
    }
    with errors_as_sentences():
        _run(connect(url), body, wait=wait, as_json=as_json)


def _run(client: OperatorClient, body: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    try:
        plan = client.ask(RolloutPlan, "POST", "/v1/rollouts", json=body, timeout=120)
    except OperatorError as error:
        for detail in (error.problem.details if error.problem else [])[1:]:
            if "message" in detail and "node" in detail:
                click.echo(f"  {detail['node']}: {detail['message']}", err=True)
        raise
    if not as_json:
        _show(plan)
    elif plan.id is None or not wait:
        click.echo(plan.model_dump_json())
    if plan.id is None or not wait:
        return
    done = _finished(client, plan.id, as_json=as_json)
    if as_json:
        click.echo(done.model_dump_json())
    raise SystemExit(0 if done.state == "done" else 1)


def _show(plan: RolloutPlan) -> None:
    for one in plan.nodes:
        click.echo(one.diff or f"{one.node}: {one.reason or 'is so already'}\n", nl=False)
        for loss in one.terminates:
            click.echo(
                f"{one.node}: terminates {loss.terminates} of {loss.of} instances in {loss.pool} "
                "now"
            )
    changed = sum(one.state == "changes" for one in plan.nodes)
    what = f"{changed} of {len(plan.nodes)} nodes change, in {plan.stages} stages"
    if plan.id is None:
        click.echo(f"{what}; terminates {plan.terminates} instances now. Nothing was changed.")
    else:
        click.echo(f"Rollout {plan.id}: {what}. See `poolkeeper rollout show {plan.id}`.")


def _finished(client: OperatorClient, number: int, *, as_json: bool) -> RolloutDetail:
    """Wait until a rollout is done or halted, telling what happens."""
    told: dict[str, str] = {}
    now = client.ask(RolloutDetail, "GET", f"/v1/rollouts/{number}")
    with counting(f"Rollout {number}", len(now.nodes)) as settled:
        while True:
            for node in now.nodes:
                if node.state != "waiting" and told.get(node.node) != node.state:
                    told[node.node] = node.state
                    reason = f": {node.reason}" if node.reason else ""
                    click.echo(plain(f"{node.node} {node.state}{reason}"), err=as_json)
            settled(sum(node.finished_at is not None for node in now.nodes))
            if now.state != "running":
                break
            time.sleep(POLL_SECONDS)
            now = client.ask(RolloutDetail, "GET", f"/v1/rollouts/{number}")
    reason = f": {now.reason}" if now.reason else ""
    click.echo(plain(f"Rollout {number} is {now.state}{reason}."), err=as_json)
    return now
