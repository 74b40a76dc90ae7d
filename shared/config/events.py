"""The C parser's event stream and the limits that it must keep before anything is built."""

from collections.abc import Iterator
from typing import Any

import yaml

from shared.config.nodes import Mark
from shared.config.problems import ConfigError, Problem

MAX_NODES = 50_000
MAX_DEPTH = 20
MAX_KEYS = 64  # in one mapping; no section has half as many
MAX_ITEMS = 5_000  # in one list
_ENOUGH = 20  # after so many foreign features the rest of the file tells nothing new

_YAML_SENTENCES = {
    "found character that cannot start any token": (
        "a value cannot start with this character (tabs do not indent; put %, @ or ` in quotes)"
    ),
    "mapping values are not allowed in this context": (
        "a key is not expected here: check the indentation, or put text that holds ': ' in quotes"
    ),
    "could not find expected ':'": "a ':' is missing after the key",
    "did not find expected key": "the indentation does not fit the lines above",
    "did not find expected '-' indicator": "the indentation does not fit the list above",
    "did not find expected ',' or ']'": "a ',' or the closing ']' is missing",
    "did not find expected ',' or '}'": "a ',' or the closing '}' is missing",
    "found unexpected end of stream": "the closing quote is missing",
}


def mark_of(mark: Any) -> Mark:
    """A parser's mark, counted from 1."""
    return Mark(mark.line + 1, mark.column + 1)


def _problem(mark: Mark, message: str) -> Problem:
    return Problem(mark.line, mark.column, "", message)


def events_of(text: str) -> Iterator[Any]:
    """The events of a text; a syntax error becomes a ConfigError."""
    parser = yaml.CLoader(text)
    try:
        event = None
        while not isinstance(event, yaml.StreamEndEvent):
            event = parser.get_event()
            yield event
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        said = str(getattr(error, "problem", None) or "it cannot be read")
        mark = mark_of(place) if place is not None else Mark(1, 1)
        sentence = _YAML_SENTENCES.get(said, f"not YAML: {said}")
        raise ConfigError([_problem(mark, sentence)]) from None
    finally:
        parser.dispose()


def check_limits(text: str) -> None:
    """Walk the stream once, keeping nothing: count, measure the depth, refuse several documents.

    Raises:
        ConfigError: the text is not YAML or is beyond the limits.
    """
    guard = _Guard()
    room = guard.room
    for event in events_of(text):  # runs for each of 50,000 values: no call for a scalar
        kind = type(event)
        if kind in _VALUES:
            guard.values += 1
            room[-1] -= 1
            if guard.values > MAX_NODES or room[-1] < 0:
                raise guard.too_many(event)
            if event.anchor is not None or event.tag is not None:
                guard.foreign(event)
            if kind is not yaml.ScalarEvent or guard.values == 1:
                guard.enter(event)
        elif kind in _ENDS:
            guard.leave()
        elif kind is yaml.DocumentStartEvent:
            guard.begin(event)


_VALUES = {yaml.ScalarEvent, yaml.AliasEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent}
_ENDS = {yaml.MappingEndEvent, yaml.SequenceEndEvent}


class _Guard:
    """What was counted so far; raises ConfigError as soon as a limit is passed."""

    def __init__(self) -> None:
        self.values = 0
        self.room = [1]  # how many more values fit into each open collection
        self._kinds = ["documents"]
        self._documents = 0
        self._foreign: list[Problem] = []

    def begin(self, event: Any) -> None:
        """A document starts."""
        self._documents += 1
        if self._documents > 1:
            raise _stop(event, "a second document starts here; a file holds one")
        if event.version is not None or event.tags:
            raise _stop(event, "directives (%YAML, %TAG) are not allowed")

    def enter(self, event: Any) -> None:
        """A value starts that may hold others, or the outermost one."""
        if self.values == 1 and not _may_be_a_file(event):
            raise _stop(event, "the file must be a mapping that starts with `version: 1`")
        if isinstance(event, yaml.MappingStartEvent):
            self.room.append(2 * MAX_KEYS)
            self._kinds.append(f"{MAX_KEYS} keys")
        elif isinstance(event, yaml.SequenceStartEvent):
            self.room.append(MAX_ITEMS)
            self._kinds.append(f"{MAX_ITEMS:,} items")
        if len(self.room) > MAX_DEPTH + 1:
            raise _stop(event, f"nested deeper than {MAX_DEPTH} levels")

    def leave(self) -> None:
        """A mapping or list ends."""
        self.room.pop()
        self._kinds.pop()

    def too_many(self, event: Any) -> ConfigError:
        """The error for one value more than fits."""
        if self.values > MAX_NODES:
            return _stop(event, f"more than {MAX_NODES:,} values in one file")
        return _stop(event, f"more than {self._kinds[-1]} in one place")

    def foreign(self, event: Any) -> None:
        """A feature that this format leaves out; the tree tells its path, unless there are many."""
        self._foreign.append(_problem(mark_of(event.start_mark), foreign_feature(event)))
        if len(self._foreign) >= _ENOUGH:
            raise ConfigError(self._foreign)


def _may_be_a_file(event: Any) -> bool:
    """Whether the outermost value is a mapping, or nothing at all."""
    nothing = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and not event.value
    return nothing or isinstance(event, yaml.MappingStartEvent)


def foreign_feature(event: Any) -> str:
    """Say what a node with an anchor, an alias or a tag uses that this format leaves out."""
    if event.anchor is not None:
        what = "aliases (*name)" if isinstance(event, yaml.AliasEvent) else "anchors (&name)"
        return f"{what} are not allowed; `defaults` is for repetition"
    return "tags such as !!str are not allowed; quote text instead"


def _stop(event: Any, message: str) -> ConfigError:
    return ConfigError([_problem(mark_of(event.start_mark), message)])
