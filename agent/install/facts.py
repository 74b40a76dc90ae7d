"""What is already there: the facts that a plan depends on."""

import hashlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.install.layout import CREDENTIALS, Layout
from agent.install.pythons import (
    Probe,
    Python,
    candidates,
    choose,
    probe_all,
    read_os_release,
)
from agent.install.unit_state import UnitState, read_state

MARKER = ".complete"
"""A file in an environment, written last."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file that exists: the SHA-256 of its content, and its mode."""

    digest: str
    mode: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A node as the installer found it.

    Attributes:
        layout: where things belong.
        find_python: the interpreter for a new environment; raises InstallError when none is fit.
        files: files and directories of ours that exist.
        settings: the text of the settings file, empty when there is none.
        environments: releases whose environment is whole.
        partial: environments that were begun and never finished.
        current: the release that the unit starts.
        previous: the release before it.
        command: where the link to the command points; None when it is missing or no link of ours.
        is_enabled: whether the unit starts at boot.
        unit: what systemd says about the unit.
        has_restorecon: whether SELinux labels can be put right.
    """

    layout: Layout
    find_python: Callable[[], Python]
    files: Mapping[Path, FileFact]
    settings: str = ""
    environments: frozenset[str] = frozenset()
    partial: frozenset[str] = frozenset()
    current: str | None = None
    previous: str | None = None
    command: str | None = None
    is_enabled: bool = False
    unit: UnitState = field(default_factory=UnitState)
    has_restorecon: bool = False


def gather(layout: Layout, running: Path, probe: Probe) -> Facts:
    """Look at the node.

    Args:
        layout: where to look.
        running: the interpreter that runs this.
        probe: runs a command; None when it failed.
    """
    homes = _directories(layout.environments)
    whole = {home.name for home in homes if (home / MARKER).is_file()}
    release = Path("/etc/os-release")
    system = read_os_release(release.read_text("utf-8") if release.is_file() else "")
    live = layout.is_live
    settings = layout.settings
    return Facts(
        layout=layout,
        find_python=lambda: choose(probe_all(candidates(running), probe), system),
        files={path: fact for path in _ours(layout) if (fact := _fact(path))},
        settings=settings.read_text("utf-8") if settings.is_file() else "",
        environments=frozenset(whole),
        partial=frozenset(home.name for home in homes) - whole,
        current=_target(layout.current),
        previous=_target(layout.previous),
        command=str(layout.command.readlink()) if layout.command.is_symlink() else None,
        is_enabled=layout.wanted.is_symlink(),
        unit=read_state(probe) if live else UnitState(),
        has_restorecon=live and Path("/usr/sbin/restorecon").exists(),
    )


def _ours(layout: Layout) -> list[Path]:
    directories = [layout.home, layout.environments, layout.etc, layout.credentials]
    files = [layout.unit, layout.drop_in, layout.settings, layout.config, layout.guard]
    return [*directories, *files, *(layout.credentials / name for name in CREDENTIALS)]


def _fact(path: Path) -> FileFact | None:
    if not path.exists():
        return None
    content = path.read_bytes() if path.is_file() else b""
    return FileFact(hashlib.sha256(content).hexdigest(), stat.S_IMODE(path.stat().st_mode))


def _directories(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir()] if path.is_dir() else []


def _target(link: Path) -> str | None:
    return link.readlink().name if link.is_symlink() else None
