"""The root of the command line. A subcommand is imported when it is used, and only then.

So `poolkeeper agent run` never loads what central needs, and a missing extra is told in one
sentence by the command that needs it.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from poolkeeper import __version__


class LazyGroup(click.Group):
    """A group whose commands are named as `module:object` and imported on use.

    Attributes:
        lazy: command name to (where it is, its one-line help, the extra it needs).
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, tuple[str, str, str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, without importing any."""
        return [*super().list_commands(ctx), *self.lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command that was asked for."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        where, _, extra = self.lazy[cmd_name]
        module_name, _, attribute = where.partition(":")
        try:
            command: click.Command = getattr(import_module(module_name), attribute)
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] in {"agent", "central", "shared"}:
                raise
            sentence = (
                f"`poolkeeper {cmd_name}` needs {missing.name}: "
                f"install it with pip install 'poolkeeper[{extra or cmd_name}]'"
            )
            raise click.UsageError(sentence) from None
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table: nothing is imported, no extra is missed."""
        rows = [(name, entry[1]) for name, entry in self.lazy.items()]
        rows += [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        found = [CompletionItem(n, help=line) for n, line in rows if n.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List names and one-line helps from the table: `--help` stays instant."""
        del ctx
        rows = [(name, entry[1]) for name, entry in self.lazy.items()]
        rows += [(name, cmd.get_short_help_str(80)) for name, cmd in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


_OPERATOR = "central"

ROOT = {
    "status": ("poolkeeper.commands_status:status", "The fleet at a glance.", _OPERATOR),
    "node": ("poolkeeper.commands_node:node", "Nodes: list, create, keys, delete …", _OPERATOR),
    "pool": ("poolkeeper.commands_pool:pool", "Pools: list, show, override, pause …", _OPERATOR),
    "rollout": ("poolkeeper.commands_rollout:rollout", "Patches under way: halt …", _OPERATOR),
    "config": ("poolkeeper.config_group:config", "The YAML: check, push, diff, history …", ""),
    "schedule": ("poolkeeper.commands_schedule:schedule", "Preview, add, suspend schedules.", ""),
    "decide": ("poolkeeper.commands_decide:decide", "One decision from a file, explained.", ""),
    "replay": ("poolkeeper.commands_replay:replay", "Drive a policy over recorded demand.", ""),
    "login": ("poolkeeper.commands_login:login", "Sign in to a central.", _OPERATOR),
    "logout": ("poolkeeper.commands_login:logout", "Sign out.", _OPERATOR),
    "whoami": ("poolkeeper.commands_login:whoami", "Who is signed in, and where.", _OPERATOR),
    "user": ("poolkeeper.commands_user:user", "Accounts, roles, sessions.", _OPERATOR),
    "system": ("poolkeeper.commands_system:system", "The fleet over time, retention.", _OPERATOR),
    "audit": ("poolkeeper.commands_audit:audit", "Who did what, and proof of it.", _OPERATOR),
    "agent": ("agent.commands:agent", "Run the agent on a node.", "agent"),
    "central": ("central.commands:central", "Run the central store.", "central,embedded"),
    "simulator": ("simulator.commands:simulator", "OCI on localhost, to try on.", "simulator"),
    "completion": ("poolkeeper.commands_completion:completion", "For bash, zsh or fish.", ""),
    "demo": ("poolkeeper.commands_demo:demo", "See the whole thing work, in a minute.", "demo"),
}

EPILOG = """\b
Examples:
  poolkeeper demo                                   see it work
  poolkeeper config check config.yaml               find mistakes, with line and column
  poolkeeper schedule preview --config config.yaml --from 2026-03-27 --to 2026-03-31
  poolkeeper agent plan --config config.yaml        one tick, nothing is changed
  poolkeeper status --watch                         the fleet, what is wrong first
  poolkeeper completion bash                        let the shell complete all this
"""


@click.group(
    cls=LazyGroup,
    lazy=ROOT,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="poolkeeper")
def cli() -> None:
    """Keep Oracle Cloud instance pools at the right size, and know why."""
