"""The group `poolkeeper config`: what needs no server, and what asks central."""

import click

from poolkeeper.cli import LazyGroup

_LOCAL, _REMOTE = "poolkeeper.commands_config", "poolkeeper.commands_config_remote"

COMMANDS = {
    "check": (f"{_LOCAL}:check", "Find mistakes, with line and column.", ""),
    "schema": (f"{_LOCAL}:schema", "Print the JSON Schema, for editors.", ""),
    "edit": (
        "poolkeeper.commands_config_edit:edit",
        "Edit a node's configuration in your editor.",
        "central",
    ),
    "push": (f"{_REMOTE}:push", "Give a node a new configuration.", "central"),
    "pull": (f"{_REMOTE}:pull", "Print a node's configuration.", "central"),
    "diff": (f"{_REMOTE}:diff", "Compare versions, or a file with the active one.", "central"),
    "history": (f"{_REMOTE}:history", "Every version: who, when, hash.", "central"),
    "rollback": (f"{_REMOTE}:rollback", "Make an earlier version active again.", "central"),
    "replay": (
        "poolkeeper.commands_config_replay:replay",
        "What it would have done with a pool's past.",
        "central",
    ),
    "patch": ("poolkeeper.commands_patch:patch", "Edit many nodes alike, in stages.", "central"),
    "adopt": ("poolkeeper.commands_adopt:adopt", "Store what a node runs.", "central"),
    "retry": (f"{_REMOTE}:retry", "Offer a rejected configuration again.", "central"),
}


EPILOG = """\b
Examples:
  poolkeeper config check config.yaml
  poolkeeper config push web-1 config.yaml --dry-run
  poolkeeper config diff web-1 config.yaml
  poolkeeper config rollback web-1 3
  poolkeeper config patch --region eu-frankfurt-1 --set "pools.*.limits.max=20" --dry-run
"""


@click.group(cls=LazyGroup, lazy=COMMANDS, epilog=EPILOG)
def config() -> None:
    """The YAML that operators edit: check it, push it, see what became of it."""
