"""`poolkeeper node …`: the machines that run agents."""

import json

import click

from poolkeeper.cli import LazyGroup
from poolkeeper.listing import Listing, plain
from poolkeeper.operator_client import (
    CENTRAL,
    JSON,
    OperatorClient,
    connect,
    errors_as_sentences,
    segment,
)
from shared.wire_operator import CreatedNode, NodeView

PAGE = 1000
_CARE = "poolkeeper.commands_node_care"
_ENROLL = "poolkeeper.commands_node_enroll"
CARE = {
    "enroll": (f"{_ENROLL}:enroll", "Make this machine a node, with a token.", "agent"),
    "enroll-token": (f"{_ENROLL}:enroll_token", "One-time tokens: create, list, revoke.", ""),
    "rotate-key": (f"{_CARE}:rotate_key", "A new API key; the present one works a while.", ""),
    "revoke-keys": (f"{_CARE}:revoke_keys", "Make old keys useless, at once.", ""),
    "maintenance": (f"{_CARE}:maintenance", "Expect a node to be silent.", ""),
    "lifecycle": ("poolkeeper.commands_lifecycle:lifecycle", "What happened to nodes.", ""),
    "delete": (f"{_CARE}:delete", "Delete a node with its history.", ""),
}


EPILOG = """\b
Examples:
  poolkeeper node enroll-token create --name web-1 --region eu-frankfurt-1 > token
  poolkeeper node list
  poolkeeper node maintenance web-1 --reason "new disks"
  poolkeeper node rotate-key web-1 --through-agent
  poolkeeper node lifecycle web-1
"""


@click.group(cls=LazyGroup, lazy=CARE, epilog=EPILOG)
def node() -> None:
    """Nodes: the machines that run agents."""


@node.command()
@click.argument("name")
@click.option("--region", required=True, help="Such as eu-frankfurt-1.")
@click.option("--description")
@CENTRAL
@JSON
def create(name: str, region: str, description: str | None, url: str | None, as_json: bool) -> None:
    """Make a node; prints its API key, which is shown only now."""
    body = {"name": name, "region": region, "description": description}
    with errors_as_sentences():
        created = connect(url).ask(CreatedNode, "POST", "/v1/nodes", json=body)
    if as_json:
        click.echo(created.model_dump_json())
        return
    click.echo(f"Created node {created.name}. Its API key, shown only now:", err=True)
    click.echo(created.api_key)


@node.command("list")
@CENTRAL
@JSON
def list_nodes(url: str | None, as_json: bool) -> None:
    """Every node with its status and configuration."""
    with errors_as_sentences():
        nodes = every_node(connect(url))
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in nodes]))
        return
    table = Listing("NODE", "REGION", "STATUS", "POOLS", "LAST HEARTBEAT", "CONFIG")
    for one in nodes:
        seen = f"{one.last_heartbeat:%Y-%m-%d %H:%M:%S} UTC" if one.last_heartbeat else "never"
        row = (one.name, one.region, status_words(one), str(one.pools), seen, config_state(one))
        table.row(*row)
    table.show()


@node.command()
@click.argument("name")
@CENTRAL
@JSON
def show(name: str, url: str | None, as_json: bool) -> None:
    """One node in full."""
    with errors_as_sentences():
        found = connect(url).ask(NodeView, "GET", f"/v1/nodes/{segment(name)}")
    if as_json:
        click.echo(found.model_dump_json())
        return
    for field, value in found.model_dump(mode="json").items():
        click.echo(f"{field + ':':20}{'-' if value is None else plain(str(value))}")
    click.echo(f"{'configuration:':20}{plain(config_state(found))}")


def status_words(one: NodeView) -> str:
    """A node's status, and whether two agents claim to be it."""
    return one.status if one.duplicate_since is None else f"{one.status}, two agents"


def config_state(one: NodeView) -> str:
    """How far the active configuration has come, in a word or two."""
    if is_behind(one):
        applied = f"the node has applied generation {one.reported_generation}"
        return f"central is behind: {applied}; poolkeeper config adopt {one.name}"
    if one.active_hash is None:
        return "none" if one.running_hash is None else "none; the node runs a file of its own"
    if one.running_hash == one.active_hash:
        return f"applied (generation {one.active_generation})"
    if one.failed_hash == one.active_hash:
        return f"refused: {one.apply_error or 'no reason given'}"
    return f"waiting (generation {one.active_generation})"


def is_behind(one: NodeView) -> bool:
    """Whether the node has applied a newer configuration than central knows."""
    return (one.reported_generation or 0) > (one.active_generation or 0)


def every_node(client: OperatorClient) -> list[NodeView]:
    """All nodes, page by page."""
    nodes: list[NodeView] = []
    while True:
        after = {"after": nodes[-1].name} if nodes else {}
        page = client.ask(list[NodeView], "GET", "/v1/nodes", params={"limit": PAGE, **after})
        nodes += page
        if len(page) < PAGE:
            return nodes
