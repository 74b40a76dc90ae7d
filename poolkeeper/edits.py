"""Small edits of a node's configuration: shown as a diff, then made, politely."""

import json

import click

from poolkeeper.operator_client import OperatorClient, OperatorError, segment
from shared.wire_edits import EditedConfig, EditRequest, Edits
from shared.wire_operator import PoolView

ATTEMPTS = 4


def edit_node(
    client: OperatorClient, node: str, request: EditRequest, *, as_json: bool = False
) -> EditedConfig:
    """Show what edits change, and make them unless they are only to be shown.

    Raises:
        OperatorError: central refuses, or others change the configuration all the time.
    """
    path = f"/v1/nodes/{segment(node)}/config/edits"
    for attempt in range(1, ATTEMPTS + 1):
        shown = _send(client, path, request.model_copy(update={"dry_run": True}))
        if not as_json:
            click.echo(shown.diff or f"{node} is so already.\n", nl=False)
        if request.dry_run or not shown.changed:
            return shown
        try:
            return _send(client, path, request, {"If-Match": f'"{shown.base_hash}"'})
        except OperatorError as error:
            if error.status != 412 or attempt == ATTEMPTS:
                raise
            click.echo("It was changed by somebody else just now; once more:", err=True)
    raise AssertionError  # the last attempt returns or raises


def tell(made: EditedConfig, *, as_json: bool) -> None:
    """Say what became of it."""
    if as_json:
        click.echo(made.model_dump_json())
    elif made.generation is not None:
        click.echo(
            f"{made.node} is at generation {made.generation} ({made.config_hash[:12]}); "
            "the agent takes it with its next heartbeat."
        )
    for loss in made.terminates if made.generation is None and not as_json else []:
        click.echo(f"It would terminate {loss.terminates} of {loss.of} instances in {loss.pool}.")


def request_of(edits: Edits, *, dry_run: bool, allow_shrink: int = 0) -> EditRequest:
    """The request for some edits."""
    return EditRequest(edits=edits, dry_run=dry_run, allow_shrink=allow_shrink)


def find_pool(client: OperatorClient, name: str) -> tuple[str, str]:
    """The node and the name of a pool that is given as NODE/POOL, or by a name that is unique.

    Raises:
        OperatorError: there is none, or there are several.
    """
    node, slash, pool = name.partition("/")
    if slash:
        return node, pool
    every = client.ask(list[PoolView], "GET", "/v1/pools")
    found = [one for one in every if one.name == name and one.retired_at is None]
    if len(found) == 1:
        return found[0].node, name
    owners = ", ".join(f"{one.node}/{one.name}" for one in found)
    what = f"Several pools have that name: say one of {owners}." if found else (
        f"There is no pool {name!r}: name it as NODE/POOL."
    )  # fmt: skip
    raise OperatorError(what, status=409 if found else 404)


def _send(
    client: OperatorClient, path: str, request: EditRequest, headers: dict[str, str] | None = None
) -> EditedConfig:
    body = json.loads(request.model_dump_json())
    return client.ask(EditedConfig, "POST", path, json=body, headers=headers or {})
