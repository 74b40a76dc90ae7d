"""The parsed file with its places, before it means anything: scalars, mappings and lists."""

from typing import Any, NamedTuple


class Mark(NamedTuple):
    """A place in the text, both counted from 1; columns are characters."""

    line: int
    column: int


class Node(NamedTuple):
    """A value of the file and where it stands.

    Attributes:
        value: a scalar, a dict of nodes by key, or a list of nodes.
        mark: where the value starts.
        key_mark: where its key starts, or None in a list and at the top.
    """

    value: Any
    mark: Mark
    key_mark: Mark | None = None

    @property
    def place(self) -> Mark:
        """Where to point for the whole of it: at its key, if it has one."""
        return self.key_mark or self.mark

    def child(self, step: str | int) -> "Node | None":
        """The node under a key or at a list position, or None."""
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            found: Node = self.value[step]
            return found
        return None


def plain(node: Node) -> Any:
    """The value without places: dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def merged(base: Node, over: Node) -> Node:
    """`over` laid on `base`: mappings merge deeply, everything else is replaced.

    A subtree that only `base` has is shared, not copied: its identity tells where it came from.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    together = dict(base.value)
    for key, child in over.value.items():
        together[key] = merged(together[key], child) if key in together else child
    return Node(together, over.mark, over.key_mark)


def identities(node: Node) -> set[int]:
    """The identity of a node and of everything below it."""
    found = {id(node)}
    children = node.value.values() if isinstance(node.value, dict) else node.value
    if isinstance(node.value, dict | list):
        for child in children:
            found |= identities(child)
    return found
