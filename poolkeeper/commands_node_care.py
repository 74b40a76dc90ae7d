"""`poolkeeper node rotate-key|revoke-keys|maintenance|delete`: looking after nodes."""

import json
import re

import click
from pydantic import TypeAdapter

from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences, segment
from poolkeeper.progress import working
from shared.wire_operator import NodeView, RotatedKey

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DELETE_SECONDS = 600.0
DAY = 86_400


class Duration(click.ParamType[int]):
    """Such as 90s, 15m, 24h or 7d; gives seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read it, or refuse it as click does."""
        found = re.fullmatch(r"(\d{1,7})([smhd])", str(value))
        if found is None:
            self.fail(
                f"{value!r} is not a duration: write it like 90s, 15m, 24h or 7d.", param, ctx
            )
        return int(found[1]) * UNITS[found[2]]


@click.command("rotate-key")
@click.argument("name")
@click.option(
    "--overlap",
    type=Duration(),
    help="For how long the present key still works; default: 24h, and with --through-agent until"
    " the new one is in use.",
)
@click.option(
    "--through-agent", is_flag=True, help="The agent gets the new key by itself; nobody sees it."
)
@CENTRAL
@JSON
def rotate_key(
    name: str, overlap: int | None, through_agent: bool, url: str | None, as_json: bool
) -> None:
    """Make a new API key; prints it, which is shown only now, or hands it to the node's agent."""
    if through_agent:
        _rotate_through_agent(name, overlap, url, as_json)
        return
    overlap = DAY if overlap is None else overlap
    with errors_as_sentences():
        path = f"/v1/nodes/{segment(name)}/keys"
        made = connect(url).ask(RotatedKey, "POST", path, params={"overlap_seconds": overlap})
    if as_json:
        click.echo(made.model_dump_json())
        return
    until = made.previous_expires_at
    before = (
        f"the one before works until {until:%Y-%m-%d %H:%M:%S} UTC" if until else "its only one"
    )
    click.echo(f"New API key of {name}, shown only now; {before}:", err=True)
    click.echo(made.api_key)


def _rotate_through_agent(name: str, overlap: int | None, url: str | None, as_json: bool) -> None:
    params = {} if overlap is None else {"overlap_seconds": overlap}
    with errors_as_sentences():
        path = f"/v1/nodes/{segment(name)}/keys/rotation"
        view = connect(url).ask(NodeView, "POST", path, params=params)
    if as_json:
        click.echo(view.model_dump_json())
        return
    click.echo(f"The agent of {name} gets a new key with its next heartbeat.")
    click.echo("The present one ends when the new one is in use; `node show` tells.", err=True)


@click.command("revoke-keys")
@click.argument("name")
@click.option("--all", "every", is_flag=True, help="The newest too: the node is shut out.")
@CENTRAL
@JSON
def revoke_keys(name: str, every: bool, url: str | None, as_json: bool) -> None:
    """Revoke the keys before the newest, or every key; it acts within a second."""
    with errors_as_sentences():
        path = f"/v1/nodes/{segment(name)}/keys"
        which = "all" if every else "previous"
        answer = connect(url).request("DELETE", path, params={"which": which})
        done = TypeAdapter(dict[str, int]).validate_json(answer.content)
    click.echo(json.dumps(done) if as_json else f"Revoked {done['revoked']} of {name}'s keys.")


@click.command()
@click.argument("name")
@click.option("--on/--off", "on", default=True, help="Begin (default) or end it.")
@click.option("--reason", help="For the node's lifecycle and the audit.")
@CENTRAL
@JSON
def maintenance(name: str, on: bool, reason: str | None, url: str | None, as_json: bool) -> None:
    """Expect a node to be silent, so that it is not called offline."""
    with errors_as_sentences():
        path = f"/v1/nodes/{segment(name)}/maintenance"
        params = {} if reason is None else {"reason": reason}
        view = connect(url).ask(NodeView, "PUT" if on else "DELETE", path, params=params)
    state = "is in maintenance" if view.maintenance else "is expected to be heard"
    click.echo(view.model_dump_json() if as_json else f"{name} {state}.")


@click.command()
@click.argument("name")
@click.option("--confirm", metavar="NAME", help="The node's name again; asked for without it.")
@CENTRAL
@JSON
def delete(name: str, confirm: str | None, url: str | None, as_json: bool) -> None:
    """Delete a node with its pools and all of its history."""
    if confirm is None:
        question = f"This deletes {name} with all of its history. Type its name to go on"
        confirm = str(click.prompt(question, err=True))
    with errors_as_sentences():
        path = f"/v1/nodes/{segment(name)}"
        params = {"confirm": confirm}
        with working(f"Deleting {name} and its history …"):
            answer = connect(url).request("DELETE", path, params=params, timeout=DELETE_SECONDS)
    click.echo(answer.text if as_json else f"Deleted {name}.")
