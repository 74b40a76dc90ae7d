"""Processes of the demo: started with a log file each, awaited until ready, always ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class DemoError(Exception):
    """The demo cannot go on; the sentence says what happened and where to look."""


def command(*words: str) -> list[str]:
    """The `poolkeeper` of this very installation."""
    return [sys.executable, "-m", "poolkeeper", *words]


def wait_for(
    what: str, look: Callable[[], Any], limit: float, alive: Callable[[], None] | None = None
) -> Any:
    """Look again and again until the answer is truthy; raise DemoError after `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        answer = look()
        if answer:
            return answer
        if alive is not None:
            alive()
        if time.monotonic() > deadline:
            raise DemoError(f"{what} (waited {limit:.0f} s)")
        time.sleep(0.1)


class Process:
    """One part of the demo as a process of its own."""

    def __init__(self, name: str, words: Sequence[str], directory: Path) -> None:
        self.name = name
        self.words = list(words)
        self.log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it; what it prints goes to its log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 # our own program, no shell
                command(*self.words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # Ctrl-C ends the demo, which ends its parts in order
            )

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        if self._process is None:
            raise DemoError(f"{self.name} is not running")
        return self._process.pid

    def check_alive(self) -> None:
        """Raise DemoError when it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            last = self.log.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise DemoError(
                f"the {self.name} ended by itself (exit {self._process.returncode}): "
                f"{' '.join(last) or 'it printed nothing'}"
            )

    def announced(self, key: str, since: int = 0) -> str:
        """Wait for the JSON line with which it says that it listens; return that key's value."""

        def look() -> str | None:
            for line in self.log.read_text("utf-8", "replace")[since:].splitlines():
                if line.startswith("{"):
                    try:
                        found = json.loads(line).get(key)
                    except ValueError:
                        continue
                    if found:
                        return str(found)
            return None

        return str(wait_for(f"the {self.name} did not start", look, 60, self.check_alive))

    def stop(self, limit: float = 20) -> None:
        """End it with SIGTERM, and with SIGKILL when it does not."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(limit)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def run(words: Sequence[str], environment: Mapping[str, str], text: str = "") -> tuple[int, str]:
    """Run one `poolkeeper` command to its end; return its exit status and what it printed."""
    done = subprocess.run(  # noqa: S603 # our own program, no shell
        command(*words),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr
