"""`poolkeeper schedule add|suspend|resume|remove`: schedules in a node's YAML."""

from collections.abc import Callable
from typing import Any

import click

from poolkeeper.commands_config_remote import SHRINK
from poolkeeper.commands_pool_edit import DRY_RUN
from poolkeeper.edits import edit_node, request_of, tell
from poolkeeper.operator_client import CENTRAL, JSON, connect, errors_as_sentences
from shared.wire_edits import AddSchedule, Edit, RemoveSchedule, SetScheduleActive


def _on_a_schedule(command: Callable[..., None]) -> Callable[..., None]:
    """What every command about one schedule that there is takes."""
    takes = (click.argument("node"), click.argument("name"), SHRINK, DRY_RUN, CENTRAL, JSON)
    for add in reversed(takes):
        command = add(command)
    return command


@click.command()
@click.argument("node")
@click.argument("name")
@click.option("--start", required=True, metavar="HH:MM", help="Local time at which it opens.")
@click.option("--end", required=True, metavar="HH:MM", help="Before --start: the next day.")
@click.option("--target", required=True, type=click.IntRange(0, 1_000_000))
@click.option("--mode", type=click.Choice(["at_least", "at_most", "exactly"]))
@click.option("--days", help="Such as mon-fri or sat,sun; default: every day.")
@click.option("--pools", help="Names with commas between them; default: every pool of the node.")
@click.option("--timezone", help="An IANA name; default: the file's.")
@click.option("--ready-early", metavar="DURATION", help="Open this much earlier, such as 5m.")
@click.option("--from", "from_", metavar="DATE", help="The first start date.")
@click.option("--until", metavar="DATE", help="The last start date.")
@SHRINK
@DRY_RUN
@CENTRAL
@JSON
def add(  # noqa: PLR0913 # an option for each key of a schedule
    *,
    node: str,
    name: str,
    target: int,
    days: str | None,
    pools: str | None,
    allow_shrink: int,
    dry_run: bool,
    url: str | None,
    as_json: bool,
    **keys: str | None,
) -> None:
    """Add the schedule NAME to the configuration of NODE."""
    given: dict[str, Any] = {
        "name": name,
        "pools": pools and _words(pools),
        "timezone": keys["timezone"],
        "days": days and _words(days),
        "start": keys["start"],
        "end": keys["end"],
        "target_instances": target,
        "mode": keys["mode"],
        "ready_early": keys["ready_early"],
        "from": keys["from_"],
        "until": keys["until"],
    }
    schedule = {key: value for key, value in given.items() if value is not None}
    _edit(node, AddSchedule(schedule=schedule), (allow_shrink, dry_run), url, as_json=as_json)


@click.command()
@_on_a_schedule
def suspend(
    node: str, name: str, allow_shrink: int, dry_run: bool, url: str | None, as_json: bool
) -> None:
    """Let the schedule NAME of NODE not apply until it is resumed."""
    edit = SetScheduleActive(schedule=name, active=False)
    _edit(node, edit, (allow_shrink, dry_run), url, as_json=as_json)


@click.command()
@_on_a_schedule
def resume(
    node: str, name: str, allow_shrink: int, dry_run: bool, url: str | None, as_json: bool
) -> None:
    """Let the schedule NAME of NODE apply again."""
    edit = SetScheduleActive(schedule=name, active=True)
    _edit(node, edit, (allow_shrink, dry_run), url, as_json=as_json)


@click.command()
@_on_a_schedule
def remove(
    node: str, name: str, allow_shrink: int, dry_run: bool, url: str | None, as_json: bool
) -> None:
    """Take the schedule NAME out of the configuration of NODE."""
    edit = RemoveSchedule(schedule=name)
    _edit(node, edit, (allow_shrink, dry_run), url, as_json=as_json)


def _edit(node: str, edit: Edit, how: tuple[int, bool], url: str | None, *, as_json: bool) -> None:
    request = request_of([edit], allow_shrink=how[0], dry_run=how[1])
    with errors_as_sentences():
        made = edit_node(connect(url), node, request, as_json=as_json)
    tell(made, as_json=as_json)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
