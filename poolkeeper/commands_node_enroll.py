"""`poolkeeper node enroll` and `enroll-token …`: machines that become nodes."""

import json
import os
import sys
import time
from pathlib import Path

import click

from poolkeeper.commands_node_care import Duration
from poolkeeper.listing import Listing
from poolkeeper.operator_client import (
    CENTRAL,
    FAILURE,
    JSON,
    NO,
    REFUSALS,
    central_url,
    connect,
    errors_as_sentences,
)
from shared.wire_enrolment import EnrolmentToken, EnrolmentTokenView

KEY_FILE = Path("/etc/poolkeeper/credentials/api_key")
_FILE = click.Path(path_type=Path, dir_okay=False)


EPILOG = """\b
Examples:
  poolkeeper node enroll-token create --name web-1 --region eu-frankfurt-1 > token
  poolkeeper node enroll-token create --name "web-*" --region eu-frankfurt-1 --expires 2h
  poolkeeper node enroll-token list
"""


@click.group("enroll-token", epilog=EPILOG)
def enroll_token() -> None:
    """One-time tokens by which machines become nodes."""


@enroll_token.command()
@click.option("--name", help="The node's name; * and ? stand for others.")
@click.option("--region", help="Only nodes of this region.")
@click.option(
    "--expires", type=Duration(), default="24h", show_default=True, help="At most 7d from now."
)
@click.option(
    "--replace", is_flag=True, help="The node may exist already: its present keys end then."
)
@CENTRAL
@JSON
def create(
    name: str | None,
    region: str | None,
    expires: int,
    replace: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Make a token for one node; prints it, which is shown only now."""
    if name is None and region is None:
        raise click.UsageError("Say for whom it is: --name, --region, or both.")
    body = {"name": name, "region": region, "expires_seconds": expires, "replaces": replace}
    with errors_as_sentences():
        made = connect(url).ask(EnrolmentToken, "POST", "/v1/enroll-tokens", json=body)
    if as_json:
        click.echo(made.model_dump_json())
        return
    until = f"{made.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    about = f"Enrolment token {made.id}, shown only now; good for one node until {until}."
    click.echo(about, err=True)
    where = central_url(url, os.environ)
    whose = name if name and not set("*?") & set(name) else "NAME"
    command = f"poolkeeper node enroll --url {where} --name {whose} --token-file FILE"
    click.echo(f"On the node, as root: {command}{'' if region else ' --region REGION'}", err=True)
    click.echo(made.token)


@enroll_token.command("list")
@CENTRAL
@JSON
def list_tokens(url: str | None, as_json: bool) -> None:
    """Every token and what became of it."""
    with errors_as_sentences():
        found = connect(url).ask(list[EnrolmentTokenView], "GET", "/v1/enroll-tokens")
    if as_json:
        click.echo(json.dumps([one.model_dump(mode="json") for one in found]))
        return
    table = Listing("ID", "STATE", "FOR", "REGION", "EXPIRES", "MADE BY", "NODE")
    for one in found:
        whom = f"{one.name or 'any name'}{' (replaces)' if one.replaces else ''}"
        ends = f"{one.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        row = (str(one.id), one.state, whom, one.region or "any", ends)
        table.row(*row, one.created_by or "-", one.node or "-")
    table.show()


@enroll_token.command()
@click.argument("token_id", metavar="ID", type=int)
@CENTRAL
@JSON
def revoke(token_id: int, url: str | None, as_json: bool) -> None:
    """Make a token useless; a node that it has enrolled stays."""
    with errors_as_sentences():
        path = f"/v1/enroll-tokens/{token_id}"
        view = connect(url).ask(EnrolmentTokenView, "DELETE", path)
    click.echo(view.model_dump_json() if as_json else f"Enrolment token {token_id} is revoked.")


@click.command()
@click.option("--url", required=True, metavar="URL", help="Of central: https://…")
@click.option("--name", required=True, help="What this node shall be called.")
@click.option("--region", help="Such as eu-frankfurt-1; left out when the token is for one.")
@click.option("--token-file", required=True, help="File with the token; - reads standard input.")
@click.option("--key-file", type=_FILE, default=KEY_FILE, show_default=True, help="Gets the key.")
@click.option("--ca-file", type=_FILE, help="Who may vouch for central.")
@JSON
def enroll(
    url: str,
    name: str,
    region: str | None,
    token_file: str,
    key_file: Path,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Make this machine a node: exchange a token for a key, which goes into a file of mode 0600.

    May be repeated when the answer was lost: the same token then gives the same node a key again.
    """
    from agent import enrolment  # noqa: PLC0415 # only on a node
    from agent.errors import SettingsError  # noqa: PLC0415 # the same

    try:
        token = enrolment.token_of(token_file, sys.stdin.read)
        candidate = enrolment.Candidate(name, region, token, key_file)
        with enrolment.client(url, ca_file) as http:
            made = enrolment.enrol(http, candidate, time.sleep)
    except enrolment.EnrolmentError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(NO if error.status in {403, *REFUSALS} else FAILURE)
    except (OSError, SettingsError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FAILURE)
    if as_json:
        click.echo(made.model_dump_json(exclude={"api_key"}))
        return
    click.echo(f"This machine is the node {made.name} ({made.region}). Its key is in {key_file}.")
    if key_file == KEY_FILE:
        click.echo(f"Go on with: poolkeeper agent install --central-url {url}", err=True)
