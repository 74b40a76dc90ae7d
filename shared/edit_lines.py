"""Edits as operators write them, a line each: `pools.*.limits.max=20`, or `unset PATH`."""

from typing import TypeVar

from pydantic import ValidationError

from shared.config.nodes import plain
from shared.config.problems import ConfigError
from shared.config.tree import parse_tree
from shared.wire_edits import SetValue, Unset

UNSET = "unset "
Kind = TypeVar("Kind", SetValue, Unset)


def assignment(text: str) -> SetValue:
    """PATH=VALUE, the value as YAML writes it.

    Raises:
        ValueError: what is wrong with it, in one sentence.
    """
    path, equals, written = (part.strip() for part in text.partition("="))
    if not equals or not path:
        raise ValueError(f"{text!r} is not PATH=VALUE, such as pools.*.limits.max=20.")
    try:
        root, problems = parse_tree(f"value: {written}")
    except ConfigError as error:
        problems = list(error.problems)
    if problems:
        raise ValueError(f"the value of {path}: {problems[0].message}")
    return _checked(path, SetValue, value=plain(root)["value"])


def edit_of(line: str) -> SetValue | Unset:
    """One edit: PATH=VALUE, or `unset PATH`.

    Raises:
        ValueError: what is wrong with it, in one sentence.
    """
    if line.startswith(UNSET):
        return _checked(line.removeprefix(UNSET).strip(), Unset)
    return assignment(line)


def edits_of(text: str) -> list[SetValue | Unset]:
    """The edits of several lines; empty ones and those that begin with # are left out.

    Raises:
        ValueError: which line is wrong, and why.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        try:
            found.append(edit_of(written))
        except ValueError as error:
            raise ValueError(f"Line {number}: {error}") from error
    return found


def _checked(path: str, kind: type[Kind], **values: object) -> Kind:
    try:
        return kind.model_validate({"path": path, **values})
    except ValidationError:
        raise ValueError("A path has 1 to 300 characters.") from None
