"""What the agent remembers of each pool between ticks and across restarts."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.clock import parse_instant
from agent.contest import Contest
from agent.files import read_sealed, write_sealed
from shared.engine.codec import memory_from_json, memory_to_json
from shared.engine.model import Blocked, Member, Memory

_HOUR = timedelta(hours=1)
Seen = tuple[int, int, str]
"""Size, running count and lifecycle state at which members were listed."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often writes failed in a row, and until when they wait because of it.

    `needed` running instances prove that there is capacity again; 0 while none is in doubt.
    """

    capacity_failures: int = 0
    needed: int = 0
    write_failures: int = 0
    scale_out_until: datetime | None = None
    writes_until: datetime | None = None
    code: str = ""

    def blocked(self, now: datetime) -> Blocked | None:
        """Return what still waits at `now`, as the engine takes it."""
        out = self.scale_out_until if self.scale_out_until and now < self.scale_out_until else None
        writes = self.writes_until if self.writes_until and now < self.writes_until else None
        return Blocked(out, writes, self.code) if out or writes else None


@dataclass(frozen=True, slots=True)
class PoolNotes:
    """Everything about one pool that outlives a tick.

    Attributes:
        memory: the engine's own.
        members: as last listed, with the instant each was first seen Running.
        listed_at: what the pool looked like then; None: never listed.
        backoff: after failed writes.
        removals: when the agent removed how many instances, for the guard's hourly limit.
        work_checked_at: when failed work requests were last looked for.
        work_failed_at: when the newest failed one that is known ended.
        work_error: its code and message; not kept across restarts.
        contest: with somebody else who sizes the pool too.
    """

    memory: Memory = field(default_factory=Memory)
    members: tuple[Member, ...] | None = None
    listed_at: Seen | None = None
    backoff: Backoff = field(default_factory=Backoff)
    removals: tuple[tuple[datetime, int], ...] = ()
    work_checked_at: datetime | None = None
    work_failed_at: datetime | None = None
    work_error: str = ""
    contest: Contest = field(default_factory=Contest)

    def removed_within_hour(self, now: datetime) -> int:
        """Return how many instances the agent removed in the last hour."""
        return sum(count for at, count in self.removals if now - at < _HOUR)

    def with_removal(self, now: datetime, count: int) -> "PoolNotes":
        """Note a removal, and forget those that are older than an hour."""
        recent = [(at, n) for at, n in self.removals if now - at < _HOUR]
        return replace(self, removals=(*recent, (now, count)))


class StateStore:
    """Keeps the notes of all pools in one sealed file, written once per tick.

    A tick that is killed before the file is written costs one tick of memory: the engine sees the
    pool's new size by itself, and the journal of writes knows what the agent asked for.
    """

    def __init__(self, path: Path, *, stamp: str, on_problem: Callable[[str], object]) -> None:
        self._path = path
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._notes: dict[str, PoolNotes] = {}
        self._failing = False
        self._observed: frozenset[str] = frozenset()
        content = read_sealed(path, stamp=stamp, on_problem=on_problem)
        for pool_id, raw in (content or {}).get("pools", {}).items():
            try:
                self._notes[pool_id] = _from_json(raw)
            except (ValueError, KeyError, TypeError) as error:
                on_problem(f"{path}: the notes of {pool_id} are unusable: {error}")
        observed = (content or {}).get("observe_pools", [])
        if isinstance(observed, list):
            self._observed = frozenset(map(str, observed))

    @property
    def observed(self) -> frozenset[str]:
        """The pools that another node owned when central was last heard."""
        with self._lock:
            return self._observed

    def observe(self, pool_ids: frozenset[str]) -> None:
        """Keep which pools another node owns, at once: the next process must not resize them."""
        with self._lock:
            self._observed = pool_ids
        self.save()

    def get(self, pool_id: str) -> PoolNotes:
        """Return the notes of a pool; empty ones for a pool never seen."""
        with self._lock:
            return self._notes.get(pool_id) or PoolNotes()

    def put(self, pool_id: str, notes: PoolNotes) -> None:
        """Replace the notes of a pool; `save` writes them."""
        with self._lock:
            self._notes[pool_id] = notes

    def reset_backoff(self) -> None:
        """Let every pool be written again: a new configuration may have mended the cause."""
        with self._lock:
            self._notes = {
                pool_id: replace(notes, backoff=Backoff(), contest=Contest())
                for pool_id, notes in self._notes.items()
            }

    def keep_only(self, pool_ids: Iterable[str]) -> None:
        """Forget pools that left the configuration."""
        kept = set(pool_ids)
        with self._lock:
            self._notes = {k: notes for k, notes in self._notes.items() if k in kept}

    def save(self) -> None:
        """Write everything; when the disk refuses, say so once and go on from memory."""
        with self._saving:
            with self._lock:
                pools = {pool_id: _to_json(notes) for pool_id, notes in self._notes.items()}
                observed = sorted(self._observed)
            try:
                write_sealed(self._path, {"pools": pools, "observe_pools": observed})
                self._failing = False
            except OSError as error:
                if not self._failing:
                    self._on_problem(f"cannot write {self._path}, going on from memory: {error}")
                self._failing = True


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None


def _to_json(notes: PoolNotes) -> dict[str, Any]:
    back = notes.backoff
    return {
        "memory": memory_to_json(notes.memory),
        "members": notes.members
        and [[member.id, member.state, _iso(member.running_since)] for member in notes.members],
        "listed_at": notes.listed_at and list(notes.listed_at),
        "backoff": {
            "capacity_failures": back.capacity_failures,
            "needed": back.needed,
            "write_failures": back.write_failures,
            "scale_out_until": _iso(back.scale_out_until),
            "writes_until": _iso(back.writes_until),
            "code": back.code,
        },
        "removals": [[_iso(at), count] for at, count in notes.removals],
        "work_checked_at": _iso(notes.work_checked_at),
        "work_failed_at": _iso(notes.work_failed_at),
        "contest": {
            "opposed": notes.contest.opposed,
            "newest_at": _iso(notes.contest.newest_at),
            "until": _iso(notes.contest.until),
        },
    }


def _contest(raw: dict[str, Any]) -> Contest:
    newest_at, until = _instant(raw.get("newest_at")), _instant(raw.get("until"))
    return Contest(int(raw.get("opposed", 0)), newest_at, until)


def _from_json(raw: dict[str, Any]) -> PoolNotes:
    back = raw["backoff"]
    members = raw["members"]
    listed = raw["listed_at"]
    return PoolNotes(
        memory=memory_from_json(raw["memory"]),
        members=None
        if members is None
        else tuple(Member(m[0], m[1], _instant(m[2])) for m in members),
        listed_at=None if listed is None else (int(listed[0]), int(listed[1]), str(listed[2])),
        backoff=Backoff(
            int(back["capacity_failures"]),
            int(back["needed"]),
            int(back["write_failures"]),
            _instant(back["scale_out_until"]),
            _instant(back["writes_until"]),
            str(back["code"]),
        ),
        removals=tuple((parse_instant(at), int(count)) for at, count in raw["removals"]),
        work_checked_at=_instant(raw["work_checked_at"]),
        work_failed_at=_instant(raw["work_failed_at"]),
        contest=_contest(raw.get("contest") or {}),  # versions before knew of none
    )
