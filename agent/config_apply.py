"""Configurations: validate, stage, swap between two ticks, keep the last good one and one older.

Nothing that arrives can stop the agent: a bad configuration is reported failed with its reason
and the old one keeps running.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from agent.files import read_sealed, write_sealed
from shared.config.hashing import config_hash
from shared.config.loader import load
from shared.config.models import Config
from shared.config.problems import ConfigError
from shared.engine.plan import Plan
from shared.wire import ConfigReport, HeartbeatAnswer

_MAX_REASON = 1024
Source = Literal["central", "file", "last_known_good"]


@dataclass(frozen=True, slots=True)
class Running:
    """A configuration ready for use, with every pool's plan made."""

    config: Config
    hash: str
    generation: int
    text: str
    source: Source
    plans: Mapping[str, Plan]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a configuration, for the log and for central."""

    event: Literal["CONFIG_APPLIED", "CONFIG_FAILED"]
    reason: str
    hash: str


def prepare(text: str, generation: int, source: Source) -> Running:
    """Check a text and make every plan.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    config = load(text)
    plans = {pool.name: Plan.of(config, pool.name) for pool in config.pools}
    return Running(config, config_hash(text), generation, text, source, plans)


class ConfigApplier:
    """Holds the running configuration. The heartbeat offers, the tick swaps."""

    def __init__(self, path: Path, *, stamp: str, on_problem: Callable[[str], object]) -> None:
        self._path = path
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._staged: Running | None = None
        self._running: Running | None = None
        self._report = ConfigReport()
        self._changes: list[Change] = []
        self.on_staged: Callable[[], object] = lambda: None
        self._restore(stamp)

    @property
    def running(self) -> Running | None:
        """The configuration in force; None before the first one."""
        with self._lock:
            return self._running

    @property
    def report(self) -> ConfigReport:
        """What central is told about configurations."""
        with self._lock:
            return self._report

    def bootstrap(self, text: str, *, authoritative: bool) -> None:
        """Stage a local file: as the truth without a central, else only when nothing runs yet.

        Raises:
            ConfigError: the file cannot be used.
        """
        with self._lock:
            if not authoritative and self._running is not None:
                return
            generation = self._report.generation
        prepared = prepare(text, generation, "file")
        with self._lock:
            if self._running is None or prepared.hash != self._running.hash:
                self._staged = prepared

    def offer(self, answer: HeartbeatAnswer) -> None:
        """Take what a heartbeat's answer says about configuration. Never raises for bad text."""
        if answer.config_hash is None:
            return
        generation = answer.generation or 0
        with self._lock:
            known = self._report.generation
            same = self._running is not None and self._running.hash == answer.config_hash
            waiting = self._staged is not None and self._staged.hash == answer.config_hash
        if generation < known and not answer.rollback:
            if not same:
                self._fail(
                    answer.config_hash,
                    f"generation {generation} is older than {known}, which this node has run:"
                    " central is behind; an operator's rollback would say so",
                )
        elif same:
            self._confirm(answer.config_hash, generation)
        elif answer.yaml_config is not None and not waiting:
            if config_hash(answer.yaml_config) == answer.config_hash:
                self._stage(answer.yaml_config, answer.config_hash, generation)
            else:
                self._on_problem("central's YAML does not match its hash; it was discarded")

    def swap(self, now: datetime) -> Running | None:
        """Make the staged configuration the running one; call between two ticks.

        Returns:
            The new configuration, or None when there is nothing to swap.
        """
        with self._lock:
            staged, self._staged = self._staged, None
            if staged is None:
                return None
            self._running = staged
            generation = max(self._report.generation, staged.generation)
            if staged.source == "central":
                generation = staged.generation
            self._report = ConfigReport(
                running_hash=staged.hash,
                received_hash=staged.hash,
                status="applied",
                generation=generation,
            )
            origin = "central" if staged.source == "central" else "a local file"
            text = f"configuration {staged.hash[:12]} from {origin} is in force"
            self._changes.append(Change("CONFIG_APPLIED", text, staged.hash))
        self._save(staged, now)
        return staged

    def take_changes(self) -> list[Change]:
        """Return what happened since the last call."""
        with self._lock:
            changes, self._changes = self._changes, []
            return changes

    def _stage(self, text: str, digest: str, generation: int) -> None:
        with self._lock:
            self._report = _changed(self._report, received_hash=digest, status="applying")
        try:
            prepared = prepare(text, generation, "central")
        except ConfigError as error:
            self._fail(digest, str(error))
            return
        except Exception as error:  # noqa: BLE001 # whatever central sends, the old one keeps running
            self._fail(digest, f"the loader failed: {type(error).__name__}: {error}")
            return
        with self._lock:
            self._staged = prepared
        self.on_staged()

    def _fail(self, digest: str, reason: str) -> None:
        reason = _shorten(reason)
        with self._lock:
            known = self._report.failed_hash == digest and self._report.error == reason
            self._report = _changed(
                self._report,
                received_hash=digest,
                status="failed",
                failed_hash=digest,
                error=reason,
            )
            if not known:
                self._changes.append(Change("CONFIG_FAILED", reason, digest))

    def _confirm(self, digest: str, generation: int) -> None:
        """What runs is what central wants: whatever was on its way is no longer meant."""
        with self._lock:
            if self._staged is not None and self._staged.source == "central":
                self._staged = None
            self._report = ConfigReport(
                running_hash=digest, received_hash=digest, status="applied", generation=generation
            )

    def _restore(self, stamp: str) -> None:
        content = read_sealed(self._path, stamp=stamp, on_problem=self._on_problem)
        if content is None:
            return
        try:
            generation = int(content["generation"])
            restored = prepare(str(content["yaml"]), generation, "last_known_good")
        except (ConfigError, KeyError, ValueError, TypeError) as error:
            self._on_problem(f"the last-known-good configuration cannot be used: {error}")
            return
        self._running = restored
        self._report = ConfigReport(
            running_hash=restored.hash,
            received_hash=restored.hash,
            status="applied",
            generation=generation,
        )

    def _save(self, running: Running, now: datetime) -> None:
        content: dict[str, Any] = {
            "yaml": running.text,
            "hash": running.hash,
            "generation": running.generation,
            "applied_at": now.isoformat(),
        }
        try:
            write_sealed(self._path, content)
        except OSError as error:
            self._on_problem(f"cannot keep the configuration in {self._path}: {error}")


def _changed(report: ConfigReport, **changes: Any) -> ConfigReport:
    return report.model_copy(update=changes)


def _shorten(reason: str) -> str:
    raw = reason.encode()
    if len(raw) <= _MAX_REASON:
        return reason
    return raw[: _MAX_REASON - 3].decode(errors="ignore") + "…"
