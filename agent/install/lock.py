"""The part of a lock file that the agent needs: exact versions, with hashes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned dependency: its name, the text that pip reads, and who asked for it."""

    name: str
    text: str
    wanted_by: frozenset[str]


def roots(requires: Iterable[str], extra: str) -> frozenset[str]:
    """Return the names in `Requires-Dist` lines that a plain install with one extra needs."""
    found = set()
    for line in requires:
        asked = _EXTRA.search(line)
        name = _NAME.match(line.strip())
        if name and (asked is None or asked[1] == extra):
            found.add(normal(name[1]))
    return frozenset(found)


def subset(lock: str, wanted: frozenset[str]) -> str:
    """Return the pins of the wanted names and of everything that they ask for.

    The lock file's own `# via` comments tell who asks for what.

    Raises:
        ValueError: a wanted name is not in the lock file.
    """
    pins = {pin.name: pin for pin in read(lock)}
    if missing := sorted(wanted - pins.keys()):
        raise ValueError(f"the lock file does not pin {', '.join(missing)}")
    kept = set(wanted)
    while more := {pin.name for pin in pins.values() if pin.wanted_by & kept} - kept:
        kept |= more
    return "".join(pin.text for pin in pins.values() if pin.name in kept)


def read(lock: str) -> Iterator[Pin]:
    """Split a lock file, as `uv pip compile` writes it, into pins."""
    lines: list[str] = []
    for line in lock.splitlines():
        if line and not line[0].isspace() and not line.startswith("#") and lines:
            yield _pin(lines)
            lines = []
        if line.strip() and (lines or not line.startswith("#")):
            lines.append(line)
    if lines:
        yield _pin(lines)


def _pin(lines: list[str]) -> Pin:
    name = _NAME.match(lines[0])
    if name is None:
        raise ValueError(f"the lock file has a line that is no pin: {lines[0]!r}")
    text = "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("#"))
    notes = [line.strip(" #") for line in lines if line.lstrip().startswith("#")]
    who = [note.removeprefix("via").strip() for note in notes]
    return Pin(normal(name[1]), text, frozenset(normal(name) for name in who if name))


def normal(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
