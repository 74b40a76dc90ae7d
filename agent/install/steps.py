"""The steps of an installation as values: a plan is a list of them, and can be shown."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """A directory with this mode, made or corrected."""

    path: Path
    mode: int

    def __str__(self) -> str:
        return f"directory {self.path} ({self.mode:04o})"


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file with this content and mode, replaced atomically. Its content is never shown."""

    path: Path
    content: bytes = field(repr=False)
    mode: int = 0o644

    def __str__(self) -> str:
        return f"write {self.path} ({self.mode:04o}, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, switched atomically."""

    path: Path
    target: str

    def __str__(self) -> str:
        return f"link {self.path} -> {self.target}"


@dataclass(frozen=True, slots=True)
class Remove:
    """A file, link or directory tree that shall not be there."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class RemoveIfEmpty:
    """A directory that goes when nobody else put something into it."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path} if it is empty"


@dataclass(frozen=True, slots=True)
class Run:
    """A command that must succeed, unless `may_fail`.

    Attributes:
        words: the command; never holds a secret.
        why: what it is for, in a few words.
    """

    words: tuple[str, ...]
    why: str
    may_fail: bool = False

    def __str__(self) -> str:
        return f"run {' '.join(self.words)}  # {self.why}"


Step = MakeDirectory | WriteFile | Link | Remove | RemoveIfEmpty | Run


class InstallError(Exception):
    """The installation cannot go on; one sentence says why and how to mend it."""
