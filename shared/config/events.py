"""The C parser's event stream: limits first, then the tree.

The stream is walked twice. The first walk keeps nothing: it counts, measures the depth and refuses
what the format does not have (anchors, aliases, tags, directives, several documents). Only then
are nodes built, without any of PyYAML's constructors.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from shared.config.nodes import Mark, Node
from shared.config.problems import ConfigError, Problem, render_path
from shared.config.scalars import Scalar, resolve

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


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _problem(mark: Mark, message: str) -> Problem:
    return Problem(mark.line, mark.column, "", message)


def _stream(text: str) -> Iterator[Any]:
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
        mark = _mark(place) if place is not None else Mark(1, 1)
        sentence = _YAML_SENTENCES.get(said, f"not YAML: {said}")
        raise ConfigError([_problem(mark, sentence)]) from None
    finally:
        parser.dispose()


def parse_tree(text: str) -> tuple[Node, list[Problem]]:
    """Build the tree of a text after its limits were checked.

    Returns:
        The tree, and what is wrong with single keys and values in it. A file with such problems
        must be refused, but the tree is fit to look for more of them.

    Raises:
        ConfigError: it is not YAML or is beyond the limits.
    """
    guard = _Guard()
    for event in _stream(text):
        guard.see(event)
    builder = _Builder(_stream(text))
    return builder.root(), builder.problems


class _Guard:
    """Counts events; raises ConfigError as soon as a limit is passed."""

    def __init__(self) -> None:
        self._nodes = 0
        self._documents = 0
        self._open: list[list[int]] = []  # [children so far, most allowed] of each collection
        self._foreign: list[Problem] = []

    def see(self, event: Any) -> None:
        """Take the next event. Scalars come first: they are most of every file."""
        kind = type(event)
        if kind is yaml.ScalarEvent or kind is yaml.AliasEvent:
            self._count(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._count(event)
            self._open.append([0, 2 * MAX_KEYS if kind is yaml.MappingStartEvent else MAX_ITEMS])
            if len(self._open) > MAX_DEPTH:
                raise _stop(event, f"nested deeper than {MAX_DEPTH} levels")
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._open.pop()
        elif kind is yaml.DocumentStartEvent:
            self._begin(event)

    def _begin(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _stop(event, "a second document starts here; a file holds one")
        if event.version is not None or event.tags:
            raise _stop(event, "directives (%YAML, %TAG) are not allowed")

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _stop(event, f"more than {MAX_NODES:,} values in one file")
        if self._open:
            around = self._open[-1]
            around[0] += 1
            if around[0] > around[1]:
                what = f"{MAX_KEYS} keys" if around[1] == 2 * MAX_KEYS else f"{MAX_ITEMS:,} items"
                raise _stop(event, f"more than {what} in one place")
        elif not _may_be_a_file(event):
            raise _stop(event, "the file must be a mapping that starts with `version: 1`")
        if event.anchor is not None or event.tag is not None:
            self._foreign.append(_problem(_mark(event.start_mark), _foreign_feature(event) or ""))
            if len(self._foreign) >= _ENOUGH:
                raise ConfigError(self._foreign)


def _may_be_a_file(event: Any) -> bool:
    """Whether the outermost value is a mapping, or nothing at all."""
    nothing = isinstance(event, yaml.ScalarEvent) and event.implicit[0] and not event.value
    return nothing or isinstance(event, yaml.MappingStartEvent)


def _foreign_feature(event: Any) -> str | None:
    """Say what a node uses that YAML has and this format has not."""
    if event.anchor is not None:
        what = "aliases (*name)" if isinstance(event, yaml.AliasEvent) else "anchors (&name)"
        return f"{what} are not allowed; `defaults` is for repetition"
    if event.tag is not None:
        return "tags such as !!str are not allowed; quote text instead"
    return None


def _stop(event: Any, message: str) -> ConfigError:
    return ConfigError([_problem(_mark(event.start_mark), message)])


class _Builder:
    """Builds nodes from a checked stream; collects odd keys, odd numbers and foreign features."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.problems: list[Problem] = []
        self._events = events
        self._path: list[str | int] = []

    def root(self) -> Node:
        """The one document of the stream."""
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                return self._node(event, None)
        return Node(None, Mark(1, 1))

    def _refuse(self, mark: Mark, message: str) -> None:
        path = render_path(tuple(self._path))
        self.problems.append(Problem(mark.line, mark.column, path, message))

    def _node(self, event: Any, key_mark: Mark | None) -> Node:
        mark = _mark(event.start_mark)
        foreign = _foreign_feature(event)
        if foreign is not None:
            self._refuse(mark, foreign)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._mapping(), mark, key_mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(), mark, key_mark)
        return Node(self._scalar(event, mark), mark, key_mark)

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        if isinstance(event, yaml.AliasEvent):
            return None
        if not event.implicit[0]:  # quoted or a block: text as it stands
            return str(event.value)
        try:
            return resolve(event.value)
        except ValueError as error:
            self._refuse(mark, str(error))
            return 0

    def _sequence(self) -> list[Node]:
        items: list[Node] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            self._path.append(len(items))
            items.append(self._node(event, None))
            self._path.pop()
        return items

    def _mapping(self) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            mark = _mark(event.start_mark)
            key = self._key(event, mark)
            self._path.append("?" if key is None else key)
            child = self._node(next(self._events), mark)
            if key is not None and key in entries:
                first = entries[key].place.line
                self._refuse(mark, f"this key is already on line {first}")
            elif key is not None:
                entries[key] = child
            self._path.pop()
        return entries

    def _key(self, event: Any, mark: Mark) -> str | None:
        value = self._node(event, None).value
        if not isinstance(value, str):
            self._refuse(mark, "a key must be text")
            return None
        if value == "<<" and event.implicit[0]:
            self._refuse(mark, "merge keys (<<) are not allowed; `defaults` is for repetition")
            return None
        return value
