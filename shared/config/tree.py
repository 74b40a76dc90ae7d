"""From events to nodes, without any of PyYAML's constructors."""

from collections.abc import Iterator
from typing import Any

import yaml

from shared.config.events import check_limits, events_of, foreign_feature, mark_of
from shared.config.nodes import Mark, Node
from shared.config.problems import MAX_PROBLEMS, ConfigError, Problem, render_path
from shared.config.scalars import Scalar, resolve


def parse_tree(text: str) -> tuple[Node, list[Problem]]:
    """Build the tree of a text after its limits were checked.

    Returns:
        The tree, and what is wrong with single keys and values in it. A file with such problems
        must be refused, but the tree is fit to look for more of them.

    Raises:
        ConfigError: it is not YAML or is beyond the limits.
    """
    check_limits(text)
    builder = _Builder(events_of(text))
    return builder.root(), builder.problems


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
        if len(self.problems) > MAX_PROBLEMS:
            raise ConfigError(self.problems)

    def _node(self, event: Any, key_mark: Mark | None) -> Node:
        kind, mark = type(event), mark_of(event.start_mark)
        if event.anchor is not None or event.tag is not None:
            self._refuse(mark, foreign_feature(event))
        value: Any = None  # of an alias
        if kind is yaml.ScalarEvent:
            value = self._scalar(event, mark)
        elif kind is yaml.MappingStartEvent:
            value = self._mapping()
        elif kind is yaml.SequenceStartEvent:
            value = self._sequence()
        return Node(value, mark, key_mark)

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
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
            if type(event) is yaml.SequenceEndEvent:
                break
            self._path.append(len(items))
            items.append(self._node(event, None))
            self._path.pop()
        return items

    def _mapping(self) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for event in self._events:
            if type(event) is yaml.MappingEndEvent:
                break
            name = self._node(event, None)
            key = self._key(name, event)
            self._path.append("?" if key is None else key)
            child = self._node(next(self._events), name.mark)
            if key is not None and key in entries:
                first = entries[key].place.line
                self._refuse(name.mark, f"this key is already on line {first}")
            elif key is not None:
                entries[key] = child
            self._path.pop()
        return entries

    def _key(self, name: Node, event: Any) -> str | None:
        if not isinstance(name.value, str):
            self._refuse(name.mark, "a key must be text")
            return None
        if name.value == "<<" and event.implicit[0]:
            message = "merge keys (<<) are not allowed; `defaults` is for repetition"
            self._refuse(name.mark, message)
            return None
        return name.value
