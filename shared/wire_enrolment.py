"""What is said when a machine becomes a node: tokens that operators make, and their use.

A token opens `POST /v1/enroll` once. It travels in the Authorization header, never in a URL.
"""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from shared.wire import Message
from shared.wire_operator import NODE_NAME

DAY = 86_400
LONGEST_TOKEN_SECONDS = 7 * DAY
NAME_PATTERN = r"^[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,254}$"
REGION = r"^[a-z0-9-]+$"
Region = Annotated[str, Field(min_length=1, max_length=100, pattern=REGION)]


class NewEnrolmentToken(Message):
    """POST /v1/enroll-tokens. A token is for a name or names, for a region, or for both."""

    name: str | None = Field(
        None, pattern=NAME_PATTERN, description="A node's name; * and ? stand for others."
    )
    region: Region | None = None
    expires_seconds: int = Field(DAY, ge=60, le=LONGEST_TOKEN_SECONDS)
    replaces: bool = Field(
        default=False,
        description="The node may exist and have been heard: its keys end. Wants a whole name.",
    )

    @model_validator(mode="after")
    def _has_a_scope(self) -> Self:
        if self.name is None and self.region is None:
            raise ValueError("a token is for a name, a region, or both")
        if self.replaces and (self.name is None or set("*?") & set(self.name)):
            raise ValueError("a token that replaces a node's key names that node, without * or ?")
        return self


class EnrolmentToken(Message):
    """A token that was just made; `token` is told once."""

    id: int
    token: str
    expires_at: AwareDatetime


class EnrolmentTokenView(Message):
    """A token without its text, which central does not have."""

    id: int
    state: Literal["open", "used", "expired", "revoked"]
    name: str | None
    region: str | None
    replaces: bool
    created_at: AwareDatetime
    created_by: str | None
    expires_at: AwareDatetime
    used_at: AwareDatetime | None
    node: str | None = Field(description="The name under which it was used.")


class Enrolment(Message):
    """POST /v1/enroll, with the token as bearer; the answer is a `CreatedNode`."""

    name: str = Field(pattern=NODE_NAME)
    region: Region | None = Field(None, description="May be left out when the token has one.")
    nonce: str = Field(
        pattern=r"^[0-9a-f]{32,128}$",
        description="Made by the node and kept until it has its key: repeats are known by it.",
    )
