"""`poolkeeper pool override|pause|observe|activate|limits`: a pool's part of its node's YAML."""

from datetime import UTC, datetime, timedelta

import click

from poolkeeper.commands_config_remote import SHRINK
from poolkeeper.commands_node_care import Duration
from poolkeeper.edits import edit_node, find_pool, request_of, tell
from poolkeeper.operator_client import CENTRAL, JSON, Option, connect, errors_as_sentences
from shared.wire_edits import Edit, EndOverride, PutOverride, SetLimits, SetMode

DRY_RUN: Option = click.option("--dry-run", is_flag=True, help="Only show what would change.")


@click.command()
@click.argument("name", metavar="NODE/POOL")
@click.option("--target", type=click.IntRange(0, 1_000_000), help="The size to hold.")
@click.option("--for", "lasts", type=Duration(), help="For how long, such as 90m or 2h.")
@click.option("--reason", help="Why, for those who wonder later.")
@click.option("--end", is_flag=True, help="End the override that the pool has.")
@SHRINK
@DRY_RUN
@CENTRAL
@JSON
def override(  # noqa: PLR0913 # click passes each option by name
    *,
    name: str,
    target: int | None,
    lasts: int | None,
    reason: str | None,
    end: bool,
    allow_shrink: int,
    dry_run: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Hold a pool at a size for a while: a lease, which ends by itself."""
    if end and (target is not None or lasts is not None or reason is not None):
        raise click.UsageError("--end takes no --target, --for or --reason.")
    if not end and (target is None or lasts is None or not reason):
        raise click.UsageError("Say --target N, --for DURATION and --reason TEXT, or --end.")
    edit: Edit | None = None
    if target is not None and lasts is not None and reason:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=lasts)
        edit = PutOverride(pool="x", target_instances=target, until=until, reason=reason)
    _edit(name, edit or EndOverride(pool="x"), (allow_shrink, dry_run), url, as_json=as_json)


@click.command()
@click.argument("name", metavar="NODE/POOL")
@DRY_RUN
@CENTRAL
@JSON
def pause(name: str, dry_run: bool, url: str | None, as_json: bool) -> None:
    """Take the hands off a pool: nothing is enforced, not even its limits."""
    _edit(name, SetMode(pool="x", mode="paused"), (0, dry_run), url, as_json=as_json)


@click.command()
@click.argument("name", metavar="NODE/POOL")
@DRY_RUN
@CENTRAL
@JSON
def observe(name: str, dry_run: bool, url: str | None, as_json: bool) -> None:
    """Decide and report about a pool, and never resize it."""
    _edit(name, SetMode(pool="x", mode="observe"), (0, dry_run), url, as_json=as_json)


@click.command()
@click.argument("name", metavar="NODE/POOL")
@SHRINK
@DRY_RUN
@CENTRAL
@JSON
def activate(name: str, allow_shrink: int, dry_run: bool, url: str | None, as_json: bool) -> None:
    """Resize a pool again that was paused or only observed."""
    _edit(name, SetMode(pool="x", mode="active"), (allow_shrink, dry_run), url, as_json=as_json)


@click.command()
@click.argument("name", metavar="NODE/POOL")
@click.option("--min", "low", type=click.IntRange(0, 1_000_000), help="Never fewer than this.")
@click.option("--max", "high", type=click.IntRange(0, 1_000_000), help="Never more than this.")
@SHRINK
@DRY_RUN
@CENTRAL
@JSON
def limits(
    name: str,
    low: int | None,
    high: int | None,
    allow_shrink: int,
    dry_run: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Change the limits of a pool."""
    if low is None and high is None:
        raise click.UsageError("Say --min N, --max N or both.")
    edit = SetLimits(pool="x", min=low, max=high)
    _edit(name, edit, (allow_shrink, dry_run), url, as_json=as_json)


def _edit(name: str, edit: Edit, how: tuple[int, bool], url: str | None, *, as_json: bool) -> None:
    """Make an edit of the pool that is meant; it does not know yet which that is."""
    with errors_as_sentences():
        client = connect(url)
        node, pool = find_pool(client, name)
        edits: list[Edit] = [edit.model_copy(update={"pool": pool})]
        request = request_of(edits, allow_shrink=how[0], dry_run=how[1])
        made = edit_node(client, node, request, as_json=as_json)
    tell(made, as_json=as_json)
