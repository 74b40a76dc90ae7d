"""Paths into a configuration's values: `pools.web.limits.max`, `schedules.*.active`. Pure."""

import re
from fnmatch import fnmatchcase
from typing import Any

from central.yaml_text import EditError
from shared.config.problems import Location, render_path

NAMED = {"pools": "name", "schedules": "name", "policies": "name", "overrides": "pool"}
IDENTITY = frozenset({"name", "instance_pool_id", "version"})
_STEP = re.compile(r"\[([^\[\]]+)\]|([^.\[\]]+)")
_GLOB = re.compile(r"[*?]")


def steps_of(path: str) -> list[str]:
    """A path's steps; names that hold dots stand in brackets.

    Raises:
        EditError: it is no path, or one of a key that says which pool or schedule it is.
    """
    steps = [bracket or word for bracket, word in _STEP.findall(path)]
    if not steps or _STEP.sub("", path).strip(".") or steps[-1] in IDENTITY:
        raise EditError(f"{path!r} names nothing that can be set: write pools.NAME.KEY, or KEY")
    return steps


def locations(values: Any, steps: list[str], begun: Location = ()) -> list[Location]:
    """The places that a path names; a pattern may name none.

    Raises:
        EditError: there is nothing of that name, or the path ends at a whole entry.
    """
    if len(begun) == len(steps):
        if begun and isinstance(begun[-1], int):
            raise EditError(f"{render_path(begun)} is a whole entry: name a key inside of it")
        return [begun]
    step = steps[len(begun)]
    here = at(values, begun)[1]
    if begun and begun[-1] in NAMED and not isinstance(here, dict):
        found = _matching(here, str(begun[-1]), step)
        if not found and not _GLOB.search(step):
            raise EditError(_unknown(begun, step))
        return [p for i in found for p in locations(values, steps, (*begun, i))]
    return locations(values, steps, (*begun, step))


def _matching(entries: Any, key: str, pattern: str) -> list[int]:
    named = enumerate(entries if isinstance(entries, list) else [])
    names = [(i, str(one.get(NAMED[key]))) for i, one in named if isinstance(one, dict)]
    if _GLOB.search(pattern):
        return [i for i, name in names if fnmatchcase(name, pattern)]
    return [i for i, name in names if name == pattern]


def position(values: Any, place: Location, name: str) -> int:
    """Where the entry of a name stands in a list.

    Raises:
        EditError: there is none.
    """
    found = _matching(at(values, place)[1], str(place[-1]), name)
    if not found:
        raise EditError(_unknown(place, name))
    return found[0]


def _unknown(place: Location, name: str) -> str:
    what = {"policies": "policy"}.get(str(place[-1]), str(place[-1])[:-1])
    where = f" in {render_path(place[:-1])}" if len(place) > 1 else ""
    return f"there is no {what} {name!r}{where}"


def at(values: Any, place: Location) -> tuple[bool, Any]:
    """Whether something stands at a place, and what."""
    for step in place:
        if not _has(values, step):
            return False, None
        values = values[step]
    return True, values


def _has(values: Any, step: str | int) -> bool:
    if isinstance(values, list):
        return isinstance(step, int) and step < len(values)
    return isinstance(values, dict) and step in values


def effective(values: Any, place: Location) -> tuple[bool, Any]:
    """What holds at a place: the value there, or for a pool the one in `defaults`."""
    there, value = at(values, place)
    if not there and place[0] == "pools" and len(place) > 2:
        return at(values, ("defaults", *place[2:]))
    return there, value
