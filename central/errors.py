"""What goes wrong in central, said in one sentence each."""

from dataclasses import dataclass, field
from typing import Any


class StartError(Exception):
    """Central cannot start; the message tells where, what, and how to mend it."""


@dataclass(slots=True)
class ApiError(Exception):
    """A request that is refused: the HTTP status and what its caller is told.

    `retry_after` is in seconds and becomes the header of that name.
    """

    status: int
    code: str
    error: str
    details: list[dict[str, Any]] = field(default_factory=list)
    retry_after: int | None = None

    def __str__(self) -> str:
        return self.error


def not_found(what: str, name: object) -> ApiError:
    """A resource that is not there."""
    return ApiError(404, "not_found", f"There is no {what} {str(name)!r}.")
