"""`poolkeeper config edit`: a node's configuration in one's own editor. No text is ever lost."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from poolkeeper.commands_config_remote import SHRINK, YAML, config_path, tell_pushed
from poolkeeper.operator_client import (
    CENTRAL,
    JSON,
    NO,
    OperatorClient,
    OperatorError,
    connect,
    errors_as_sentences,
    fail,
    show_problems,
)
from poolkeeper.review_text import lost, show_review
from shared.wire_operator import Pushed
from shared.wire_review import ConfigReview

FIRST = """\
version: 1
# The first configuration of this node. `poolkeeper config schema` and docs/configuration.md
# tell every key.
pools: []
"""
EPILOG = """\b
Examples:
  poolkeeper config edit edge-1
  VISUAL='code --wait' poolkeeper config edit edge-1
"""
Step = Literal["save", "again", "stop"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened: `base` is the hash it had, empty for a node without a configuration."""

    node: str
    file: Path
    text: bytes
    base: str


@click.command(epilog=EPILOG)
@click.argument("node")
@SHRINK
@click.option("--take-over", is_flag=True, help="Take pools from an OFFLINE or INACTIVE node.")
@click.option("--yes", is_flag=True, help="Save without asking. Losing instances is still asked.")
@CENTRAL
@JSON
def edit(
    node: str, allow_shrink: int, take_over: bool, yes: bool, url: str | None, as_json: bool
) -> None:
    """Edit the configuration of NODE in $VISUAL or $EDITOR, see what it would do, save it.

    It is checked when the editor is closed, and opened again while there are problems. It is only
    saved over the version that was opened. Text that is not saved stays in a file that is named.
    """
    with errors_as_sentences():
        client = connect(url)
        opened = _open(client, node)
    session = _Session(client, opened, allow_shrink, take_over=take_over, yes=yes)
    try:
        pushed = session.run()
    except OperatorError as error:
        session.tell_kept()
        fail(error)
    except click.ClickException:
        session.tell_kept()
        raise
    except (click.Abort, KeyboardInterrupt):
        click.echo("", err=True)
        session.tell_kept()
        raise SystemExit(NO) from None
    opened.file.unlink()
    if pushed is not None:
        tell_pushed(pushed, as_json=as_json)
    elif as_json:
        click.echo("null")
    else:
        click.echo("Nothing was changed.")


class _Session:
    """One run of the editor and what follows, again and again until it is saved or given up."""

    def __init__(
        self,
        client: OperatorClient,
        opened: Opened,
        allow_shrink: int,
        *,
        take_over: bool,
        yes: bool,
    ) -> None:
        self._client, self._opened = client, opened
        self._allow_shrink, self._take_over, self._yes = allow_shrink, take_over, yes
        self._console = Console(stderr=True, highlight=False)

    def run(self) -> Pushed | None:
        """What was saved; None when nothing was changed.

        Raises:
            OperatorError: central is not reached, or refuses; a conflict.
            click.Abort: it was given up.
        """
        while True:
            click.edit(filename=str(self._opened.file))
            text = self._opened.file.read_bytes()
            if text == self._opened.text:
                return None
            review = self._reviewed(text)
            if review is None:
                continue
            if not review.changed:
                return None
            step = self._decided(review)
            if step == "stop":
                raise click.Abort
            if step == "save":
                return self._push(text)

    def tell_kept(self) -> None:
        """Say where the text is and how to go on with it, on standard error."""
        node, file = self._opened.node, self._opened.file
        click.echo(f"Nothing was saved. Your text is kept in {file}; to go on:", err=True)
        click.echo(f"  poolkeeper config diff {node} {file}", err=True)
        click.echo(f"  poolkeeper config push {node} {file} --dry-run", err=True)

    def _reviewed(self, text: bytes) -> ConfigReview | None:
        """The review; None when there are problems, which were told, and one edits on."""
        path = f"{config_path(self._opened.node)}/review"
        try:
            review = self._client.ask(ConfigReview, "POST", path, content=text, headers=YAML)
        except OperatorError as error:
            if error.problem is None or error.problem.code != "invalid_config":
                raise
            click.echo(f"Error: {error}", err=True)
            show_problems(error)
            click.confirm("Edit it again?", default=True, abort=True, err=True)
            return None
        if (review.base_hash or "") != self._opened.base:
            raise self._conflict(review.base_hash)
        return review

    def _decided(self, review: ConfigReview) -> Step:
        show_review(review, self._console)
        total = lost(review)
        if total > self._allow_shrink:
            typed = click.prompt(
                f"Type {total} to agree, anything else to edit again", default="", err=True,
                show_default=False,
            )  # fmt: skip
            if str(typed).strip() != str(total):
                return "again"
            self._allow_shrink = total
        if self._yes:
            return "save"
        choice = click.prompt(
            "Save it? (y)es, (e)dit again, (n)o",
            type=click.Choice(["y", "e", "n"]),
            default="y",
            show_choices=False,
            err=True,
        )
        steps: dict[str, Step] = {"y": "save", "e": "again", "n": "stop"}
        return steps[choice]

    def _push(self, text: bytes) -> Pushed:
        base = self._opened.base
        headers = {**YAML, "If-Match": f'"{base}"'}
        params = {"allow_shrink": self._allow_shrink, "take_over": self._take_over}
        path = config_path(self._opened.node)
        try:
            return self._client.ask(
                Pushed, "PUT", path, params=params, content=text, headers=headers
            )
        except OperatorError as error:
            if error.problem is not None and error.problem.code == "changed":
                raise self._conflict(None) from error
            raise

    def _conflict(self, now: str | None) -> OperatorError:
        is_now = f" (its hash is {now[:12]} now)" if now else ""
        return OperatorError(
            f"The configuration of {self._opened.node} was changed by somebody else{is_now} while "
            "you edited: bring their change into your text, or the other way round.",
            status=412,
        )


def _open(client: OperatorClient, node: str) -> Opened:
    """The active configuration in a private file."""
    try:
        active = client.request("GET", config_path(node))
        text, base = active.content, active.headers["ETag"].strip('"')
    except OperatorError as error:
        if error.problem is None or error.problem.code != "no_config":
            raise
        text, base = FIRST.encode(), ""
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in node)
    descriptor, name = tempfile.mkstemp(prefix=f"poolkeeper-{safe[:60]}-", suffix=".yaml")
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
    return Opened(node, Path(name), text, base)
