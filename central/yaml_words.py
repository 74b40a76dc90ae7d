"""Writing values as YAML that `shared.config` reads back as the same values."""

import json
import re
from typing import Any

from shared.config.scalars import resolve

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.%/-]*")
MOST_KEYS_IN_A_LINE = 4


def flow(value: Any) -> str:
    """A value in one line, fit for any place of a file: `{min: 2, max: 20}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def entry(key: str, value: Any, indent: int) -> list[str]:
    """The lines of a key in a block mapping; a list of mappings gets a line for each at least."""
    pad = " " * indent
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return [f"{pad}{_text(key)}:", *(line for one in value for line in item(one, indent + 2))]
    return [f"{pad}{_text(key)}: {flow(value)}"]


def item(value: Any, indent: int) -> list[str]:
    """The lines of an item in a block sequence."""
    pad = " " * indent
    if isinstance(value, dict) and len(value) > MOST_KEYS_IN_A_LINE:
        inside = [line for key, inner in value.items() for line in entry(key, inner, indent + 2)]
        return [f"{pad}- {inside[0].lstrip()}", *inside[1:]]
    return [f"{pad}- {flow(value)}"]


def _text(text: str) -> str:
    return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Whether a text needs no quotes to be read as the same text."""
    try:
        return _PLAIN.fullmatch(text) is not None and resolve(text) == text
    except ValueError:  # a number that is too large
        return False
