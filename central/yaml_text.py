"""Changing one place of a YAML text and leaving every other byte as it is.

The parser tells where each value stands; a change is a splice of the text there. Dumping a file
anew, as round-trip libraries do, would indent, wrap and quote the rest of it in their own style.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from central.yaml_words import entry, flow, item
from shared.config.keys import legal_keys
from shared.config.problems import Location, render_path


class EditError(ValueError):
    """An edit that does not fit the file; one sentence."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


def spliced(text: str, splices: list[Splice]) -> str:
    """A text with changes that do not overlap."""
    for splice in sorted(splices, key=lambda one: one.start, reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


class YamlText:
    """A sound configuration with the places of its values; a location is keys and positions."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._shift = int(text.startswith("\ufeff"))  # the parser does not count the BOM
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        if root is None:
            raise EditError("The configuration is empty: there is nothing to edit.")
        self._root: yaml.Node = root

    def assign(self, location: Location, value: Any) -> Splice:
        """Give a key a value, where it stands or as a new key of its mapping.

        Raises:
            EditError: nothing can be put there.
        """
        node = self._at(location)
        if node is not None:
            return self._replace(node, flow(value))
        parent = self._at(location[:-1])
        if isinstance(parent, yaml.MappingNode):
            return self._add_key(parent, location, value)
        if parent is None or self._is_null(parent):
            return self.assign(location[:-1], {str(location[-1]): value})
        raise EditError(f"{render_path(location[:-1])} is not a mapping of keys to values")

    def append(self, location: Location, value: Any) -> Splice:
        """Add an item to a list, which is made when there is none."""
        node = self._at(location)
        if not isinstance(node, yaml.SequenceNode):
            return self.assign(location, [value])
        if not node.value:
            return self._replace(node, flow([value]))
        end = self._end(node.value[-1])
        if node.flow_style:
            return Splice(end, end, f", {flow(value)}")
        return self._lines_after(end, item(value, self._column(node)))

    def remove(self, location: Location) -> Splice:
        """Take a key or an item away, and what would be left empty by it."""
        parent = self._at(location[:-1])
        if not isinstance(parent, yaml.CollectionNode):
            raise EditError(f"{render_path(location)} is not there")
        if len(parent.value) == 1 and location[:-1]:
            return self.remove(location[:-1])
        index = self._index(parent, location[-1])
        spans = [self._span(one) for one in parent.value]
        if not parent.flow_style:
            return self._without_lines(*spans[index])
        if index + 1 < len(spans):
            return Splice(spans[index][0], spans[index + 1][0], "")
        return Splice(spans[index - 1][1], spans[index][1], "")

    def _at(self, location: Location) -> yaml.Node | None:
        node: yaml.Node | None = self._root
        for step in location:
            if isinstance(node, yaml.MappingNode):
                node = next((value for key, value in node.value if key.value == step), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step] if step < len(node.value) else None
            else:
                return None
        return node

    @staticmethod
    def _index(parent: yaml.CollectionNode, step: str | int) -> int:
        if isinstance(parent, yaml.SequenceNode):
            return int(step)
        return [key.value for key, _ in parent.value].index(step)

    def _replace(self, node: yaml.Node, text: str) -> Splice:
        start, end = self._start(node), self._end(node)
        if start == end:  # nothing stands behind the colon
            text = f" {text}"
        elif isinstance(node, yaml.CollectionNode) and not node.flow_style:
            text = f"  {text}"  # a sequence may begin in the column of its key, a value may not
        return Splice(start, end, text)

    def _add_key(self, parent: yaml.MappingNode, location: Location, value: Any) -> Splice:
        key = str(location[-1])
        if not parent.value:
            return self._replace(parent, flow({key: value}))
        before = self._neighbour(parent, location)
        end = self._end(before[1])
        if parent.flow_style:
            return Splice(end, end, f", {flow({key: value})[1:-1]}")
        return self._lines_after(end, entry(key, value, self._column(parent)))

    @staticmethod
    def _neighbour(parent: yaml.MappingNode, location: Location) -> tuple[yaml.Node, yaml.Node]:
        """The entry after which a new key belongs: the order is that of the documentation."""
        order = legal_keys(location[:-1])
        rank = {key: number for number, key in enumerate(order)}
        own = rank.get(str(location[-1]), len(order))
        before = [pair for pair in parent.value if rank.get(pair[0].value, len(order)) < own]
        pair: tuple[yaml.Node, yaml.Node] = max(
            before, key=lambda one: rank[one[0].value], default=parent.value[-1]
        )
        return pair

    def _lines_after(self, position: int, lines: list[str]) -> Splice:
        end = self._line_end(position)
        return Splice(end, end, "".join(f"{self._newline}{line}" for line in lines))

    def _without_lines(self, start: int, end: int) -> Splice:
        first = self.text.rfind("\n", 0, start) + 1
        last = self._line_end(end)
        rest = re.match(r"\r?\n", self.text[last : last + 2])
        return Splice(first, last + (rest.end() if rest else 0), "")

    def _span(self, one: Any) -> tuple[int, int]:
        """From where an item or an entry starts, its dash or key included, to its end."""
        if isinstance(one, tuple):
            return self._start(one[0]), self._end(one[1])
        return self._start(one), self._end(one)

    def _line_end(self, position: int) -> int:
        end = self.text.find("\n", position)
        if end < 0:
            return len(self.text)
        return end - 1 if self.text[end - 1] == "\r" else end

    def _start(self, node: yaml.Node) -> int:
        return int(node.start_mark.index) + self._shift

    def _column(self, node: yaml.Node) -> int:
        return int(node.start_mark.column)

    def _end(self, node: yaml.Node) -> int:
        """Where a value's last character stands; blocks end with their innermost last value."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        start, end = self._start(node), int(node.end_mark.index) + self._shift
        return start + len(self.text[start:end].rstrip())

    @staticmethod
    def _is_null(node: yaml.Node) -> bool:
        return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")
