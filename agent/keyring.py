"""The node's key, and its successor until that has proven itself.

A key from the systemd credential cannot change while the agent runs, so one that central hands out
lives in the state directory. It is on disk before it is used and the old one goes only after the
new one was accepted: whenever the agent is killed, one of the two works.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from agent.files import write_atomically

_KEPT, _CANDIDATE = "api_key", "api_key.next"


def is_one_key(text: str) -> bool:
    """Say whether a text can be one key in an HTTP header: printable ASCII without spaces."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


class Keyring:
    """Holds the keys of one node.

    Args:
        state_dir: where rotated keys are kept, readable by the agent alone.
        given: the key from the environment; None when there is none.
        on_problem: told when a key cannot be kept.
    """

    def __init__(
        self, state_dir: Path, given: str | None, on_problem: Callable[[str], object]
    ) -> None:
        self._directory = state_dir
        self._given = given or ""
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._kept = _read(state_dir / _KEPT)
        self._candidate = _read(state_dir / _CANDIDATE)
        self._position = 0

    def current(self) -> str:
        """Return the key to try next: the newest one first."""
        with self._lock:
            keys = self._keys()
            return keys[self._position % len(keys)]

    def offer(self, key: str) -> None:
        """Take a successor from central; it is used from the next heartbeat on."""
        if not is_one_key(key):
            self._on_problem("central handed out a key that is not one; the present one stays")
            return
        with self._lock:
            if key in self._keys() or not self._write(_CANDIDATE, key):
                return
            self._candidate, self._position = key, 0

    def accepted(self) -> None:
        """Note that the current key was accepted; a successor becomes the kept key."""
        with self._lock:
            key = self._keys()[self._position % len(self._keys())]
            if key != self._candidate or not self._write(_KEPT, key):
                return
            self._kept, self._candidate, self._position = key, "", 0
            (self._directory / _CANDIDATE).unlink(missing_ok=True)

    def refused(self) -> None:
        """Note that the current key was refused: the next one has its turn."""
        with self._lock:
            self._position = (self._position + 1) % len(self._keys())

    def _keys(self) -> list[str]:
        found = [key for key in (self._candidate, self._kept, self._given) if key]
        return list(dict.fromkeys(found)) or [""]

    def _write(self, name: str, key: str) -> bool:
        try:
            write_atomically(self._directory / name, key)
        except OSError as error:
            self._on_problem(f"cannot keep the node's new key: {error}")
            return False
        return True


def _read(path: Path) -> str:
    try:
        kept = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return kept if is_one_key(kept) else ""
