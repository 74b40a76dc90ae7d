"""Finding a Python for the agent's environment, or telling how to get one."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.install.steps import InstallError

OLDEST = (3, 11)
NAMES = ("python3.13", "python3.12", "python3.11", "python3")
DIRECTORIES = ("/usr/bin", "/usr/local/bin")
_PROBE = (
    "import importlib.util as u, json, sys;"
    "print(json.dumps([list(sys.version_info[:2]),"
    " all(map(u.find_spec, ('venv', 'ensurepip')))]))"
)
_HIDDEN = ("/root", "/home", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 # not written to

Probe = Callable[[tuple[str, ...]], str | None]
"""Runs a command; returns what it printed, or None when it failed."""


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter: where it is, its version, and whether it can make environments."""

    path: Path
    version: tuple[int, int]
    has_venv: bool

    @property
    def problem(self) -> str | None:
        """Why the agent cannot use it; None when it can."""
        if self.version < OLDEST:
            return f"is Python {self.version[0]}.{self.version[1]}"
        if str(self.path.resolve()).startswith(tuple(f"{place}/" for place in _HIDDEN)):
            return "lies where the hardened unit cannot see it"
        if not self.has_venv:
            return "lacks the venv module"
        return None


def base_python() -> Path:
    """The interpreter that runs this, outside of any environment."""
    return Path(getattr(sys, "_base_executable", sys.executable))


def candidates(running: Path, directories: Iterable[str] = DIRECTORIES) -> list[Path]:
    """Return the interpreters to look at: the one that runs first, then the newest."""
    named = [Path(directory) / name for name in NAMES for directory in directories]
    return [path for path in dict.fromkeys([running, *named]) if path.exists()]


def probe_all(paths: Iterable[Path], probe: Probe) -> list[Python]:
    """Ask each interpreter about itself; one that cannot answer is left out."""
    found = []
    for path in paths:
        answer = probe((str(path), "-I", "-c", _PROBE))
        if answer is None:
            continue
        try:
            version, has_venv = json.loads(answer)
            found.append(Python(path, (int(version[0]), int(version[1])), bool(has_venv)))
        except (ValueError, TypeError, IndexError):
            continue
    return found


def choose(found: Iterable[Python], system: Mapping[str, str]) -> Python:
    """Return the first usable interpreter.

    Args:
        found: the interpreters, best first.
        system: the fields of /etc/os-release.

    Raises:
        InstallError: none is usable; the sentence names the command that installs one.
    """
    refused = []
    for python in found:
        if python.problem is None:
            return python
        refused.append(f"{python.path} {python.problem}")
    seen = f" ({'; '.join(refused)})" if refused else ""
    raise InstallError(
        f"no Python 3.11 or newer with the venv module{seen}; {how_to_get(system)}, then try again"
    )


def how_to_get(system: Mapping[str, str]) -> str:
    """Return the command that installs a fit Python on this operating system."""
    family = {system.get("ID", ""), *system.get("ID_LIKE", "").split()}
    version = system.get("VERSION_ID", "")
    if family & {"ol", "rhel", "fedora", "centos"}:
        return "run: sudo dnf install -y python3.11"
    if "ubuntu" in family and version < "24.04":
        return "run: sudo apt-get install -y python3.11 python3.11-venv"
    if family & {"ubuntu", "debian"}:
        return "run: sudo apt-get install -y python3 python3-venv"
    return "install python3.11 and its venv module with the package manager of this system"


def read_os_release(text: str) -> dict[str, str]:
    """Read the fields of /etc/os-release."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
