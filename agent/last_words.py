"""Why the agent ended the last time: kept on disk, told to central by the next start."""

from pathlib import Path

from agent.files import write_atomically

_FILE = "last-error"
_MOST = 2000


def leave(state_dir: Path, error: BaseException) -> None:
    """Keep the error that ends this process; a disk that refuses changes nothing."""
    text = f"{type(error).__name__}: {error}"[:_MOST]
    try:
        write_atomically(state_dir / _FILE, text)
    except OSError:
        return


def take(state_dir: Path) -> str | None:
    """Return, once, why the process before this one ended; None when it ended well."""
    path = state_dir / _FILE
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        path.unlink()
    except OSError:
        return None
    return text
