"""Doing the steps, one after the other."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.files import flush_directory
from agent.install.steps import (
    InstallError,
    Link,
    MakeDirectory,
    Remove,
    RemoveIfEmpty,
    Run,
    Step,
    WriteFile,
)


def execute(steps: Iterable[Step], tell: Callable[[Step], object]) -> None:
    """Do the steps in order; the first that fails ends it.

    Args:
        steps: the plan.
        tell: called with each step before it is done.

    Raises:
        InstallError: a step failed; the sentence names it.
    """
    mask = os.umask(0o022)  # the unit's user must be able to read the environment
    try:
        for step in steps:
            tell(step)
            try:
                _do(step)
            except OSError as error:
                raise InstallError(f"{step}: {error.strerror or error}") from error
    finally:
        os.umask(mask)


def probe(words: tuple[str, ...]) -> str | None:
    """Run a command that only looks; return what it printed, None when it failed."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 # fixed words, no shell
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _do(step: Step) -> None:
    match step:
        case MakeDirectory(path, mode):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
        case WriteFile(path, content, mode):
            _write(path, content, mode)
        case Link(path, target):
            _link(path, target)
        case Remove(path):
            _remove(path)
        case RemoveIfEmpty(path):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        case Run():
            _run(step)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file as one; it never exists with a wider mode than its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
    flush_directory(path.parent)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_symlink():
        raise InstallError(f"{path} exists and is no link of ours: move it away")
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)
    flush_directory(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _run(step: Run) -> None:
    done = subprocess.run(  # noqa: S603 # words of our own plan, no shell
        step.words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 and not step.may_fail:
        said = (done.stderr or done.stdout).strip().splitlines()
        last = "; ".join(said[-3:]) or "it printed nothing"
        raise InstallError(f"`{' '.join(step.words)}` failed (exit {done.returncode}): {last}")
