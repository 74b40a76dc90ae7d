"""`poolkeeper completion`: the shell completes commands and options."""

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

PROGRAM = "poolkeeper"
SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
EPILOG = """\b
Examples:
  poolkeeper completion bash > ~/.local/share/bash-completion/completions/poolkeeper
  poolkeeper completion zsh  > "${fpath[1]}/_poolkeeper"
  poolkeeper completion fish > ~/.config/fish/completions/poolkeeper.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete `poolkeeper`; it acts in new shells."""
    root = context.find_root().command
    click.echo(SHELLS[shell](root, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
