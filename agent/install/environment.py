"""The agent's own environment: one directory for each release, whole or not there."""

from pathlib import Path

from agent.install.facts import MARKER, Facts
from agent.install.layout import UNIT
from agent.install.release import Release
from agent.install.steps import MakeDirectory, Remove, Run, Step, WriteFile

_PIP = ("-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
_PARTS = "import agent.commands, agent.loop, agent.planning, agent.checking, poolkeeper.cli"


def make_environment(facts: Facts, release: Release, wheels: Path | None) -> list[Step]:
    """Return the steps that make a release's environment; none when it is whole already.

    Every dependency is pinned by the release and checked by its hash, from an index or not. Byte
    code is made for the modules that the agent really loads, by loading them once: the whole of
    OCI's SDK would take as much room again, and a minute.

    Raises:
        InstallError: no fit Python.
    """
    if release.name in facts.environments:
        return []
    home = facts.layout.environments / release.name
    python, pins, archive = home / "bin" / "python", home / "pins.txt", home / release.file_name
    source = () if wheels is None else ("--no-index", "--find-links", str(wheels))
    pip = (str(python), *_PIP, "--no-compile", *source)
    base = facts.find_python()
    begun: list[Step] = [Remove(home)] if release.name in facts.partial else []
    return [
        *begun,
        MakeDirectory(home, 0o755),
        Run((str(base.path), "-I", "-m", "venv", str(home)), "Python {}.{}".format(*base.version)),
        WriteFile(pins, release.requirements.encode()),
        WriteFile(archive, release.content),
        Run((*pip, "--require-hashes", "--requirement", str(pins)), "pinned dependencies"),
        Run((*pip, "--no-deps", str(archive)), f"poolkeeper {release.version}"),
        Run((str(python), "-I", "-c", _PARTS), "every part loads on this machine"),
        WriteFile(home / UNIT, release.unit),
        WriteFile(home / MARKER, b""),
    ]
