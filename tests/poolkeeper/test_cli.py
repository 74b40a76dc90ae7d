"""The root of the command line: quick, honest about what is missing, and whole."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from poolkeeper.cli import ROOT, LazyGroup, cli
from poolkeeper.config_group import COMMANDS, config

HEAVY = ("oci", "sqlalchemy", "fastapi", "matplotlib", "psycopg2", "apscheduler")


def test_help_names_every_command_and_imports_none_of_the_heavy_parts() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from poolkeeper.cli import cli;"
        "print(CliRunner().invoke(cli, ['--help']).output);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    assert all(f"  {name} " in done.stdout for name in ROOT)


@pytest.mark.parametrize("name", ROOT)
def test_every_command_of_the_root_can_be_loaded_and_helps(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_config_group_can_be_loaded(name: str) -> None:
    assert isinstance(config, click.Group)
    result = CliRunner().invoke(config, [name, "--help"])
    assert result.exit_code == 0, result.output


def test_a_missing_extra_is_one_sentence_that_names_it() -> None:
    group = LazyGroup(lazy={"x": ("not_installed_anywhere:command", "Help.", "agent")})
    result = CliRunner().invoke(group, ["x"])
    assert result.exit_code == 2
    assert "needs not_installed_anywhere" in result.output
    assert "pip install 'poolkeeper[agent]'" in result.output


def every_command(
    group: click.Group, *path: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group that is no group itself, with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from every_command(command, *path, name)
        else:
            yield (*path, name), command


OPERATORS = ("status", "node", "pool", "rollout", "config", "schedule", "user", "audit")
WITHOUT_JSON = {("config", "schema"), ("config", "pull"), ("config", "edit")}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_shown_examples_and_may_ask_for_json(name: str) -> None:
    assert "Examples:" in CliRunner().invoke(cli, [name, "--help"]).output
    assert isinstance(cli, click.Group)
    mute = {
        path
        for path, command in every_command(cli)
        if path[0] == name and not any(option.name == "as_json" for option in command.params)
    }
    assert mute <= WITHOUT_JSON


COMPLETIONS = [
    ("sta", "status"),
    ("node r", "rotate-key"),
    ("node l", "list"),
    ("status --w", "--watch"),
    ("completion f", "fish"),
    ("config pa", "patch"),
]


@pytest.mark.parametrize(("typed", "wanted"), COMPLETIONS)
def test_the_shell_completes_commands_and_options(typed: str, wanted: str) -> None:
    words = ["poolkeeper", *typed.split(" ")]
    environment = {
        "_POOLKEEPER_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner().invoke(cli, [], env=environment, prog_name="poolkeeper")
    assert f"plain,{wanted}" in result.output.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_poolkeeper(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell], prog_name="poolkeeper")
    assert result.exit_code == 0
    assert f"_POOLKEEPER_COMPLETE={shell}_complete" in result.output


def test_bash_takes_the_script(tmp_path: Path) -> None:
    script = tmp_path / "poolkeeper"
    script.write_text(CliRunner().invoke(cli, ["completion", "bash"]).output)
    code = f"set -e; source {script}; complete -p poolkeeper"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert "-F _poolkeeper_completion poolkeeper" in done.stdout


def test_an_unknown_command_is_usage_exit_2() -> None:
    result = CliRunner().invoke(cli, ["confg"])
    assert result.exit_code == 2
    assert "No such command 'confg'" in result.output
