"""docs/operators.md: each of its commands can be given as it stands there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from poolkeeper.cli import cli

PAGE = Path(__file__).parents[1] / "docs" / "operators.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line]


def test_the_week_is_there() -> None:
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_can_be_given_as_it_stands(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").touch()
    program, *words = shlex.split(line.partition(" > ")[0], comments=True)
    assert program == "poolkeeper"
    command: click.Command = cli
    context = click.Context(cli, info_name=program)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        command = found
    # refuses options that do not exist, values that they do not take, missing and surplus words
    command.make_context(command.name, words, parent=context, resilient_parsing=False)
