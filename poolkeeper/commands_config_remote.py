"""`poolkeeper config push|pull|diff|history|rollback|retry`: configurations held by a central."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from poolkeeper.listing import Listing
from poolkeeper.operator_client import (
    CENTRAL,
    JSON,
    OperatorError,
    connect,
    errors_as_sentences,
    segment,
)
from poolkeeper.review_text import show_review, why_refused
from shared.config.hashing import config_hash
from shared.line_diff import unified_diff
from shared.wire_operator import ConfigVersion, Pushed
from shared.wire_review import ConfigReview

YAML = {"Content-Type": "application/yaml"}
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SHRINK = click.option(
    "--allow-shrink",
    metavar="N",
    default=0,
    type=click.IntRange(0),
    help="Agree that up to N running instances are terminated by it.",
)


@click.command()
@click.argument("nodes", nargs=-1, required=True, metavar="NODE")
@click.argument("file", type=FILE)
@SHRINK
@click.option("--take-over", is_flag=True, help="Take pools from an OFFLINE or INACTIVE node.")
@click.option("--if-match", metavar="HASH", help="Only if this is the active configuration.")
@click.option("--dry-run", is_flag=True, help="Only show what it would change.")
@CENTRAL
@JSON
def push(  # click passes each option by name
    nodes: tuple[str, ...],
    file: Path,
    allow_shrink: int,
    take_over: bool,
    if_match: str | None,
    dry_run: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Validate FILE and make it the configuration of NODE."""
    node = nodes[0]
    if len(nodes) > 1 or "," in node:
        raise click.UsageError(
            "A whole file is for one node, since a pool belongs to one node. The same change for "
            "several is a patch: poolkeeper config patch --nodes A,B --set PATH=VALUE."
        )
    if dry_run:
        _rehearse(node, file, (allow_shrink, take_over, if_match), url, as_json=as_json)
        return
    params: dict[str, Any] = {"allow_shrink": allow_shrink, "take_over": take_over}
    headers = {**YAML, **({} if if_match is None else {"If-Match": f'"{if_match}"'})}
    with errors_as_sentences():
        pushed = connect(url).ask(
            Pushed,
            "PUT",
            config_path(node),
            params=params,
            content=file.read_bytes(),
            headers=headers,
        )
    tell_pushed(pushed, as_json=as_json)


def _rehearse(
    node: str,
    file: Path,
    agreed: tuple[int, bool, str | None],
    url: str | None,
    *,
    as_json: bool,
) -> None:
    """Show what a push would do; exits 1 when it would be refused."""
    allow_shrink, take_over, if_match = agreed
    with errors_as_sentences():
        path = f"{config_path(node)}/review"
        review = connect(url).ask(
            ConfigReview, "POST", path, content=file.read_bytes(), headers=YAML
        )
        if as_json:
            click.echo(review.model_dump_json())
        elif review.changed:
            show_review(review, Console(highlight=False))
        else:
            click.echo(f"{node} has this configuration already ({review.config_hash[:12]}).")
        why = why_refused(review, allow_shrink, take_over=take_over)
        if if_match is not None and if_match != (review.base_hash or ""):
            why = f"The active configuration is another: {(review.base_hash or 'none')[:12]}."
        if why is not None:
            raise OperatorError(why, status=409)


@click.command()
@click.argument("node")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--generation", type=click.IntRange(1), help="Default: the active one.")
@CENTRAL
@JSON
def pull(
    node: str, output: Path | None, generation: int | None, url: str | None, as_json: bool
) -> None:
    """Print or save the configuration of NODE, byte for byte."""
    with errors_as_sentences():
        response = connect(url).request(
            "GET", config_path(node), params=_only(generation=generation)
        )
    found = response.headers["X-Generation"]
    hashed = config_hash(response.content)
    if output is not None:
        output.write_bytes(response.content)
    if as_json:
        entry = {"node": node, "generation": int(found), "config_hash": hashed}
        click.echo(json.dumps(entry if output else {**entry, "yaml": response.content.decode()}))
    elif output is not None:
        click.echo(f"Saved generation {found} of {node} to {output} (hash {hashed[:12]}).")
    else:
        click.echo(response.content, nl=False)


@click.command()
@click.argument("node")
@click.argument("file", type=FILE, required=False)
@click.option("--old", type=click.IntRange(1), help="A generation; default: the one before.")
@click.option("--new", type=click.IntRange(1), help="A generation; default: the active one.")
@CENTRAL
@JSON
def diff(
    node: str,
    file: Path | None,
    old: int | None,
    new: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Compare two generations of NODE's configuration, or the active one with FILE."""
    with errors_as_sentences():
        client = connect(url)
        if file is None:
            params = _only(old=old, new=new)
            text = client.request("GET", f"{config_path(node)}/diff", params=params).text
        else:
            active = client.request("GET", config_path(node), params=_only(generation=old))
            name = f"{node} generation {active.headers['X-Generation']}"
            text = unified_diff(active.text, file.read_text(encoding="utf-8"), name, str(file))
    click.echo(json.dumps({"same": not text, "diff": text}) if as_json else text, nl=as_json)


@click.command()
@click.argument("node")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@CENTRAL
@JSON
def history(node: str, limit: int, url: str | None, as_json: bool) -> None:
    """Every version NODE has had, newest first."""
    with errors_as_sentences():
        versions = connect(url).ask(
            list[ConfigVersion], "GET", f"{config_path(node)}/history", params={"limit": limit}
        )
    if as_json:
        click.echo(json.dumps([version.model_dump(mode="json") for version in versions]))
        return
    table = Listing("GENERATION", "HASH", "WHEN", "WHO", "")
    for one in versions:
        when = f"{one.created_at:%Y-%m-%d %H:%M:%S} UTC" if one.created_at else "-"
        notes = ["active"] if one.is_active else []
        notes += [f"rollback to {one.rollback_of}"] if one.rollback_of else []
        row = (str(one.generation), one.config_hash[:12], when, one.created_by or "-")
        table.row(*row, ", ".join(notes))
    table.show()


@click.command()
@click.argument("node")
@click.argument("generation", type=click.IntRange(1))
@SHRINK
@CENTRAL
@JSON
def rollback(node: str, generation: int, allow_shrink: int, url: str | None, as_json: bool) -> None:
    """Make an earlier GENERATION of NODE's configuration the active one again."""
    params = {"generation": generation, "allow_shrink": allow_shrink}
    with errors_as_sentences():
        pushed = connect(url).ask(Pushed, "POST", f"{config_path(node)}/rollback", params=params)
    tell_pushed(pushed, as_json=as_json)


@click.command()
@click.argument("node")
@CENTRAL
@JSON
def retry(node: str, url: str | None, as_json: bool) -> None:
    """Offer the active configuration again to a NODE that refused it."""
    with errors_as_sentences():
        offered = connect(url).ask(dict[str, str], "POST", f"{config_path(node)}/retry")
    if as_json:
        click.echo(json.dumps(offered))
    else:
        click.echo(f"{node} is offered {offered['config_hash'][:12]} again.")


REMOTE_COMMANDS: tuple[click.Command, ...] = (push, pull, diff, history, rollback, retry)


def config_path(node: str) -> str:
    """Where a node's configuration is in the API."""
    return f"/v1/nodes/{segment(node)}/config"


def _only(**values: int | None) -> dict[str, int]:
    return {name: value for name, value in values.items() if value is not None}


def tell_pushed(pushed: Pushed, *, as_json: bool) -> None:
    """Print what a push did."""
    if as_json:
        click.echo(pushed.model_dump_json())
        return
    if not pushed.changed:
        click.echo(f"{pushed.node} has this configuration already ({pushed.config_hash[:12]}).")
        return
    click.echo(
        f"{pushed.node} is at generation {pushed.generation} ({pushed.config_hash[:12]}) with "
        f"{len(pushed.pools)} pools; the agent takes it with its next heartbeat."
    )
    if pushed.retired:
        click.echo(f"No longer managed: {', '.join(pushed.retired)}.")
