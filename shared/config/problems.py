"""What is wrong with a file: one sentence with its place, and the error that carries them all."""

from collections.abc import Iterable
from dataclasses import dataclass

MAX_PROBLEMS = 100  # more than anybody reads; keeps the answer to a hostile file small

Location = tuple[str | int, ...]
"""Keys and list positions from the top of the file, such as ("pools", 0, "limits", "max")."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong (or, from a lint, doubtful) at one place of the file.

    Attributes:
        line: counted from 1.
        column: counted from 1, in characters.
        path: where in the structure, such as `pools[0].limits.max`; empty for the whole file.
        message: one sentence; it never repeats a value that could be a secret.
    """

    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: "
        return f"{place}{self.path}: {self.message}" if self.path else place + self.message


class ConfigError(ValueError):
    """The file cannot be used. `problems` holds everything that is wrong, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = sorted(set(problems))
        if len(found) > MAX_PROBLEMS:
            last = found[MAX_PROBLEMS]
            message = "and more problems from here on; mend those above first"
            found = [*found[:MAX_PROBLEMS], Problem(last.line, last.column, "", message)]
        self.problems: tuple[Problem, ...] = tuple(found)
        super().__init__("\n".join(map(str, found)))


def render_path(location: Location) -> str:
    """Write a location as `pools[0].limits.max`; long or unprintable keys are shortened."""
    parts = [f"[{p}]" if isinstance(p, int) else f".{shown_key(p)}" for p in location]
    return "".join(parts).removeprefix(".")


def shown_key(key: str) -> str:
    """A key as it may be repeated to a person: printable and at most 40 characters."""
    clean = key if key.isprintable() else ascii(key)[1:-1]
    return clean if len(clean) <= 40 else f"{clean[:39]}…"
