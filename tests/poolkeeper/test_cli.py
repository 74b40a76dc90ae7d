"""The root of the command line: quick, honest about what is missing, and whole."""

import subprocess
import sys

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


def test_an_unknown_command_is_usage_exit_2() -> None:
    result = CliRunner().invoke(cli, ["confg"])
    assert result.exit_code == 2
    assert "No such command 'confg'" in result.output
