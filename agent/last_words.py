"""Why the agent ended the last time: kept on disk, told to central by the next start.

A process that fails again and again also waits longer and longer before it ends, so that whatever
starts it anew does not do so every few seconds. It waits at its end and not at its beginning: who
has mended the cause and restarts the service does not wait for anything.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from agent.files import write_atomically

_FILE = "last-error"
_MOST = 2000
_LONG_LIFE_SECONDS = 600.0
_WAIT_FIRST, _WAIT_MOST = 10.0, 60.0


@dataclass(frozen=True, slots=True)
class LastWords:
    """The error that ended a process, how many ended so in a row, and whether it was told."""

    error: str
    in_a_row: int = 1
    is_told: bool = False


def leave(state_dir: Path, error: BaseException, lived_seconds: float) -> float:
    """Keep the error that ends this process; a disk that refuses changes nothing.

    Returns:
        Seconds to wait before the end: none for the first failure in a row, 10 for the second,
        then twice as long each time, at most a minute. One that lived for long begins a new row.
    """
    before = _read(state_dir)
    in_a_row = 1
    if before is not None and lived_seconds < _LONG_LIFE_SECONDS:
        in_a_row += before.in_a_row
    _write(state_dir, LastWords(f"{type(error).__name__}: {error}"[:_MOST], in_a_row))
    if in_a_row == 1:
        return 0.0
    return float(min(_WAIT_MOST, _WAIT_FIRST * 2.0 ** min(in_a_row - 2, 10)))


def take(state_dir: Path) -> str | None:
    """Return, once, why the process before this one ended; None when it ended well."""
    found = _read(state_dir)
    if found is None or found.is_told:
        return None
    _write(state_dir, replace(found, is_told=True))
    return found.error


def forget(state_dir: Path) -> None:
    """This process ends well."""
    try:
        (state_dir / _FILE).unlink(missing_ok=True)
    except OSError:
        return


def _read(state_dir: Path) -> LastWords | None:
    try:
        text = (state_dir / _FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    try:
        kept = json.loads(text)
        return LastWords(str(kept["error"]), int(kept["in_a_row"]), bool(kept["is_told"]))
    except (ValueError, KeyError, TypeError):
        return LastWords(text[:_MOST])  # of a version that kept the sentence alone


def _write(state_dir: Path, words: LastWords) -> None:
    try:
        write_atomically(state_dir / _FILE, json.dumps(asdict(words)))
    except OSError:
        return
