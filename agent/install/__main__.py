"""Install from one file: `PYTHONPATH=poolkeeper-….whl python3.11 -m agent.install OPTIONS`.

Makes the release's environment with nothing but the standard library, then lets the `poolkeeper`
in it go on as `poolkeeper agent install OPTIONS`. With --pins it prints what the agent needs, for
`pip download`.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from agent.install.environment import make_environment
from agent.install.execute import execute, probe
from agent.install.facts import gather
from agent.install.layout import Layout
from agent.install.pythons import base_python
from agent.install.release import read_release
from agent.install.steps import InstallError, MakeDirectory, Step


def main(words: list[str]) -> None:
    """Make the environment and hand over to it; with --dry-run only tell."""
    parser = argparse.ArgumentParser(prog="python -m agent.install", add_help=False)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--pins", action="store_true")
    known, _ = parser.parse_known_args(words)
    source = known.source or _own_wheel()
    layout = Layout(known.root.absolute())
    try:
        release = read_release(source)
        if known.pins:
            print(release.requirements, end="")  # noqa: T201 # for pip download
            return
        facts = gather(layout, base_python(), probe)
        steps: list[Step] = [MakeDirectory(layout.environments, 0o755)]
        steps += make_environment(facts, release, known.wheels)
        if known.dry_run:
            for step in steps:
                print(step)  # noqa: T201 # the dry run's output
            print("then the rest of `poolkeeper agent install`")  # noqa: T201 # the same
            return
        execute(steps, lambda step: print(step, file=sys.stderr))  # noqa: T201 # progress
    except (InstallError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 # the one sentence
        sys.exit(2)
    if source is not None and known.source is None:
        words = ["--from", str(source), *words]
    _hand_over(layout.environments / release.name, words)


def _hand_over(environment: Path, words: list[str]) -> NoReturn:
    python = str(environment / "bin" / "python")
    os.environ.pop("PYTHONPATH", None)
    os.execv(python, [python, "-I", "-m", "poolkeeper", "agent", "install", *words])  # noqa: S606 # our own environment


def _own_wheel() -> Path | None:
    """The wheel that this very module was imported from, if it was."""
    return next((p for p in Path(__file__).parents if p.suffix == ".whl" and p.is_file()), None)


if __name__ == "__main__":
    main(sys.argv[1:])
