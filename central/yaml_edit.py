"""Edits of a configuration: text in, text out, comments and order kept. Pure.

Every edit is made twice: in the text, and in the values that the text had. What the new text says
must be the new values, else the edit is refused, however the file was written.
"""

import copy
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from central.yaml_paths import at, effective, locations, position, steps_of
from central.yaml_text import EditError, Splice, YamlText, spliced
from shared.config.nodes import plain
from shared.config.problems import Location, render_path
from shared.config.tree import parse_tree
from shared.line_diff import unified_diff
from shared.wire_edits import (
    AddSchedule,
    Edit,
    EndOverride,
    PutOverride,
    RemoveSchedule,
    SetLimits,
    SetMode,
    SetScheduleActive,
    SetValue,
    Unset,
)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """A sound configuration's text after some edits, one after the other.

    Raises:
        EditError: one of them does not fit the file.
    """
    for edit in edits:
        text = _EDITS[type(edit)](text, edit)
    return text


def unified(name: str, before: str, after: str) -> str:
    """A unified diff for people; empty when nothing changes."""
    return unified_diff(before, after, name, f"{name} (edited)")


def set_value(text: str, path: str, value: Any) -> str:
    """Give the keys that a path names a value; a pattern may name none.

    What a pool inherits from `defaults` already is left to them.

    Raises:
        EditError: the path names nothing, or what identifies a pool.
    """
    values = _values(text)
    targets = [
        location
        for location in locations(values, steps_of(path))
        if effective(values, location) != (True, value)
    ]
    return _changed(
        text,
        targets,
        lambda file, place: file.assign(place, value),
        lambda tree, place: _assign(tree, place, value),
    )


def unset_value(text: str, path: str) -> str:
    """Take away the keys that a path names, where they are there.

    Raises:
        EditError: the path names no place of this file.
    """
    values = _values(text)
    places = locations(values, steps_of(path))
    there = [place for place in places if at(values, place)[0]]
    return _changed(text, there, lambda file, place: file.remove(place), _remove)


def set_limits(text: str, pool: str, low: int | None, high: int | None) -> str:
    """Change a pool's limits; None leaves one as it is."""
    for key, value in (("min", low), ("max", high)):
        if value is not None:
            text = set_value(text, f"pools[{pool}].limits.{key}", value)
    return text


def set_mode(text: str, pool: str, mode: str) -> str:
    """Make a pool active, observed or paused."""
    return set_value(text, f"pools[{pool}].mode", mode)


def put_override(text: str, override: PutOverride) -> str:
    """Hold a pool at a size for a while; an override that it has is replaced.

    Raises:
        EditError: there is no such pool.
    """
    values = _values(text)
    position(values, ("pools",), override.pool)
    new = {
        "pool": override.pool,
        "target_instances": override.target_instances,
        "until": override.until.isoformat().replace("+00:00", "Z"),
        "reason": override.reason,
    }
    present = [entry["pool"] for entry in values.get("overrides") or []]
    if override.pool not in present:
        return _appended(text, "overrides", new)
    place: Location = ("overrides", present.index(override.pool))
    return _changed(
        text,
        [place],
        lambda file, where: file.assign(where, new),
        lambda tree, where: _assign(tree, where, new),
    )


def end_override(text: str, pool: str) -> str:
    """End a pool's override.

    Raises:
        EditError: the pool has none.
    """
    return _taken_out(text, "overrides", pool)


def add_schedule(text: str, schedule: dict[str, Any]) -> str:
    """Add a schedule, given by the keys of the YAML.

    Raises:
        EditError: there is one of that name already.
    """
    name = schedule.get("name")
    if any(entry.get("name") == name for entry in _values(text).get("schedules") or []):
        raise EditError(f"there is a schedule {name!r} already")
    return _appended(text, "schedules", schedule)


def set_schedule_active(text: str, schedule: str, *, active: bool) -> str:
    """Suspend a schedule (`active: false`) or let it apply again.

    Raises:
        EditError: there is none of that name.
    """
    return set_value(text, f"schedules[{schedule}].active", active)


_EDITS: dict[type[Any], Callable[[str, Any], str]] = {
    SetValue: lambda text, edit: set_value(text, edit.path, edit.value),
    Unset: lambda text, edit: unset_value(text, edit.path),
    SetLimits: lambda text, edit: set_limits(text, edit.pool, edit.min, edit.max),
    SetMode: lambda text, edit: set_mode(text, edit.pool, edit.mode),
    PutOverride: put_override,
    EndOverride: lambda text, edit: end_override(text, edit.pool),
    AddSchedule: lambda text, edit: add_schedule(text, edit.schedule),
    RemoveSchedule: lambda text, edit: _taken_out(text, "schedules", edit.schedule),
    SetScheduleActive: lambda text, edit: set_schedule_active(
        text, edit.schedule, active=edit.active
    ),
}


def _values(text: str) -> dict[str, Any]:
    found: dict[str, Any] = plain(parse_tree(text)[0])
    return found


def _changed(
    text: str,
    places: list[Location],
    splice: Callable[[YamlText, Location], Splice],
    change: Callable[[Any, Location], None],
) -> str:
    """Change the text and its values alike, and compare."""
    if not places:
        return text
    file, tree = YamlText(text), copy.deepcopy(_values(text))
    new = spliced(text, [splice(file, place) for place in places])
    for place in places:
        change(tree, place)
    root, problems = _parsed(new)
    if problems or root != tree:
        where = ", ".join(map(render_path, places[:3]))
        raise EditError(f"{where} cannot be edited in the way this file is written: push a file")
    return new


def _parsed(text: str) -> tuple[Any, bool]:
    try:
        root, problems = parse_tree(text)
    except ValueError:  # a ConfigError: not YAML any more, or beyond the limits
        return None, True
    return plain(root), bool(problems)


def _appended(text: str, key: str, entry: dict[str, Any]) -> str:
    def _append(tree: Any, _place: Location) -> None:
        tree[key] = [*(tree.get(key) or []), entry]

    return _changed(text, [(key,)], lambda file, place: file.append(place, entry), _append)


def _taken_out(text: str, key: str, name: str) -> str:
    place = (key, position(_values(text), (key,), name))
    return _changed(text, [place], lambda file, where: file.remove(where), _remove)


def _assign(tree: Any, place: Location, value: Any) -> None:
    for step, following in pairwise(place):
        if isinstance(tree, dict) and tree.get(step) is None and isinstance(following, str):
            tree[step] = {}
        tree = tree[step]
    tree[place[-1]] = value


def _remove(tree: Any, place: Location) -> None:
    parent = at(tree, place[:-1])[1]
    if len(parent) == 1 and place[:-1]:
        _remove(tree, place[:-1])
    else:
        del parent[place[-1]]
