"""`poolkeeper config adopt`: store what a node runs, when central knows less than the node."""

import time

import click

from poolkeeper.commands_node_care import Duration
from poolkeeper.operator_client import (
    CENTRAL,
    JSON,
    OperatorError,
    connect,
    errors_as_sentences,
    segment,
)
from shared.wire_edits import Adoption

POLL_SECONDS = 0.5


@click.command()
@click.argument("node")
@click.option("--take-over", is_flag=True, help="Take pools from an OFFLINE or INACTIVE node.")
@click.option("--wait", type=Duration(), default="6m", show_default=True, help="For the agent.")
@CENTRAL
@JSON
def adopt(node: str, take_over: bool, wait: int, url: str | None, as_json: bool) -> None:
    """Make what NODE runs its active configuration: after a restore, or of a local file."""
    path = f"/v1/nodes/{segment(node)}/config/adopt"
    deadline = time.monotonic() + wait
    with errors_as_sentences():
        client = connect(url)
        found = client.ask(Adoption, "POST", path, params={"take_over": take_over})
        while found.state in ("asked", "sent") and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            found = client.ask(Adoption, "GET", path)
        if found.state == "asked":
            raise OperatorError(
                f"{node} has not sent its configuration yet: it is asked with its next heartbeat.",
                status=409,
            )
        if found.state == "refused":
            raise OperatorError(
                f"{node}'s configuration is not adopted: {found.reason}", status=409
            )
    if as_json:
        click.echo(found.model_dump_json())
    else:
        hashed = (found.config_hash or "")[:12]
        click.echo(
            f"What {node} runs ({hashed}) is its active configuration now, as generation "
            f"{found.generation}; see `poolkeeper config diff {node}`."
        )
