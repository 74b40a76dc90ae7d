"""An answer to a request, and how values look in JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from simulator.errors import invalid

T = TypeVar("T")
DEFAULT_LIMIT = 100  # not documented (docs/verify-live.md); clients must follow opc-next-page
MAX_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, JSON body and further headers."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the body's bytes, none for None. NaN stays the bare word that clients accept."""
        if self.body is None:
            return b""
        return json.dumps(self.body, separators=(",", ":")).encode()


def timestamp(at: datetime | None) -> str | None:
    """Return RFC 3339 in UTC with milliseconds, as OCI writes it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def page(items: Sequence[T], query: dict[str, str]) -> tuple[list[T], dict[str, str]]:
    """Return one page of a list and the `opc-next-page` header when more follow.

    SDK 2.189: every list operation takes `limit` and `page`; the token is opaque.
    """
    limit = _integer(query.get("limit", str(DEFAULT_LIMIT)), "limit")
    start = _integer(query["page"].removeprefix("p"), "page") if query.get("page") else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid(f"limit must be between 1 and {MAX_LIMIT}")
    end = start + limit
    return list(items[start:end]), {"opc-next-page": f"p{end}"} if end < len(items) else {}


def _integer(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise invalid(f"{name} is not valid: {text!r}")
    return int(text)
