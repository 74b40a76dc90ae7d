"""Files that survive a crash at any instant: checksummed, replaced as one, with an older copy."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.errors import SettingsError, StateError

_FORMAT = 1


def write_atomically(path: Path, text: str, *, keep_previous: bool = False) -> None:
    """Replace a file so that a reader finds the old or the new text, never a mix.

    The text goes to a temporary file beside it, is flushed to disk, renamed, and the directory is
    flushed too, so that the new name survives a power cut. A file has one writer at a time, so the
    temporary name is always the same and crashes leave no litter behind.

    Raises:
        OSError: nothing was replaced; a failed flush is never taken for success.
    """
    temporary = path.with_name(f".{path.name}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if keep_previous and path.exists():
            _keep(path)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_directory(path.parent)


def flush_directory(directory: Path) -> None:
    """Flush a directory, so that renames in it are on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def previous_of(path: Path) -> Path:
    """Return where the older copy of a file is kept."""
    return path.with_name(f"{path.name}.previous")


def _keep(path: Path) -> None:
    spare = path.with_name(f".{path.name}.spare")
    spare.unlink(missing_ok=True)
    os.link(path, spare)
    spare.replace(previous_of(path))


def seal(content: dict[str, Any]) -> str:
    """Return the content as text that carries its own checksum."""
    body = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return f'{{"format":{_FORMAT},"sha256":"{checksum}","content":{body}}}\n'


def unseal(text: str) -> dict[str, Any]:
    """Return the content of a sealed text.

    Raises:
        StateError: it is torn, foreign or of an unknown format.
    """
    try:
        envelope = json.loads(text)
        content = envelope["content"]
        body = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        found, expected, layout = (
            hashlib.sha256(body.encode()).hexdigest(),
            envelope["sha256"],
            envelope["format"],
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError(f"not a sealed file: {type(error).__name__}") from error
    if layout != _FORMAT:
        raise StateError(f"its format is {layout!r}; this version reads {_FORMAT}")
    if found != expected:
        raise StateError("its checksum does not match: torn or edited")
    if not isinstance(content, dict):
        raise StateError("its content is not a mapping")
    return content


def write_sealed(path: Path, content: dict[str, Any], *, keep_previous: bool = True) -> None:
    """Write content with its checksum, atomically; the file's older copy is kept."""
    write_atomically(path, seal(content), keep_previous=keep_previous)


def read_sealed(
    path: Path, *, stamp: str, on_problem: Callable[[str], object]
) -> dict[str, Any] | None:
    """Read a sealed file, or its older copy when it is unusable; None when there is neither.

    An unusable file is set aside as `NAME.corrupt-STAMP`, for whoever wants to know why.

    Args:
        path: the file.
        stamp: goes into the name of a file that is set aside.
        on_problem: told, in a sentence, of everything that was unusable.
    """
    for candidate in (path, previous_of(path)):
        try:
            return unseal(candidate.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (StateError, UnicodeDecodeError, OSError) as error:
            on_problem(f"{candidate} is unusable and was set aside: {error}")
            set_aside(candidate, stamp)
    return None


def set_aside(path: Path, stamp: str) -> None:
    """Rename an unusable file; when even that fails it stays where it is and is overwritten."""
    try:
        path.replace(path.with_name(f"{path.name}.corrupt-{stamp}"))
    except OSError:
        return


def make_home(home: Path) -> None:
    """Make the state directory, for the agent alone.

    Raises:
        SettingsError: it cannot be made, or cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (home / "writes").mkdir(exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"POOLKEEPER_STATE_DIR is {home}, which cannot be used: {error.strerror or error};"
            " name a directory that the agent's user may write"
        ) from error


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock while the block runs, so that no second agent works on the same state.

    Raises:
        SettingsError: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = f"another agent works in {path.parent}; stop it or name another directory"
            raise SettingsError(text) from error
        yield
    finally:
        os.close(descriptor)
