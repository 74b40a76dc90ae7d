"""From a location in the configuration to a place in the text."""

from collections.abc import Sequence

from shared.config.nodes import Node, identities
from shared.config.problems import Location, Problem, render_path


class Places:
    """Finds where in the file a value came from, also when `defaults` supplied it."""

    def __init__(self, root: Node, pools: Sequence[Node] = (), defaults: Node | None = None):
        """Take the whole file, its pools with the defaults merged in, and the defaults."""
        self._root = root
        self._pools = pools
        self._from_defaults = identities(defaults) if defaults is not None else frozenset()

    def node(self, location: Location) -> Node:
        """The deepest node that exists on the way to a location."""
        return self._walk(location)[0]

    def has(self, location: Location) -> bool:
        """Whether the file, or its defaults, write this location out."""
        return self._walk(location)[1]

    def problem(self, location: Location, message: str, *, at_key: bool = False) -> Problem:
        """Say a message at a location; what is not in the file is said where it belongs.

        Args:
            location: keys and positions from the top of the file.
            message: the sentence.
            at_key: point at the key, not at its value.
        """
        node, found = self._walk(location)
        whole = at_key or not found or isinstance(node.value, dict)
        mark = node.place if whole else node.mark
        if id(node) in self._from_defaults and location[:1] == ("pools",):
            location = ("defaults", *location[2:])
        return Problem(mark.line, mark.column, render_path(location), message)

    def _walk(self, location: Location) -> tuple[Node, bool]:
        node, rest = self._root, location
        match location:
            case ("pools", int(index), *_) if index < len(self._pools):
                node, rest = self._pools[index], location[2:]
        for step in rest:
            child = node.child(step)
            if child is None:
                return node, False
            node = child
        return node, True
