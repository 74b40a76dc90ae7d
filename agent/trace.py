"""A trace of every decision with everything it looked at, for replays."""

import json
import threading
from pathlib import Path
from typing import TextIO

from shared.engine.codec import decision_to_json, memory_to_json, observation_to_json
from shared.engine.model import Decision, Memory, Observation


class Trace:
    """Appends one JSON line per decision to a file; without a file it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        if path is not None:
            self._file = path.open("a", encoding="utf-8")

    def write(self, pool: str, seen: Observation, before: Memory, decision: Decision) -> None:
        """Append a decision."""
        if self._file is None:
            return
        line = json.dumps(
            {
                "pool": pool,
                "observation": observation_to_json(seen),
                "memory_before": memory_to_json(before),
                "decision": decision_to_json(decision),
            },
            allow_nan=True,  # a source may answer NaN, and a replay must see it
        )
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
