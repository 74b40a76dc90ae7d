"""Unified diffs as pages show them. Pure."""

from dataclasses import dataclass

MOST_LINES = 3000
KINDS = {"+": "add", "-": "del", "@": "hunk"}


@dataclass(frozen=True, slots=True)
class DiffView:
    """Lines with what they are: add, del, hunk or same; `left_out` counts those not shown."""

    lines: tuple[tuple[str, str], ...]
    added: int
    removed: int
    left_out: int


def diff_view(unified: str) -> DiffView:
    """The lines of a unified diff, without the names at its beginning."""
    body = unified.split("\n")[2:] if unified.startswith("--- ") else unified.split("\n")
    if body and not body[-1]:
        body.pop()
    kinds = [KINDS.get(line[:1], "same") for line in body]
    return DiffView(
        tuple(zip(kinds[:MOST_LINES], body[:MOST_LINES], strict=True)),
        kinds.count("add"),
        kinds.count("del"),
        max(0, len(body) - MOST_LINES),
    )
