"""Messages that were sent, or wait to be sent, of what is wrong. Instants are aware UTC."""

from typing import Literal

from pydantic import AwareDatetime, Field

from shared.wire import Message


class NotificationRow(Message):
    """One message to one channel."""

    id: int
    channel: str
    state: Literal["firing", "resolved"]
    kind: str
    subject: str = Field(description="NODE, NODE/POOL or fleet.")
    text: str
    since: AwareDatetime
    created_at: AwareDatetime
    attempts: int
    sent_at: AwareDatetime | None
    error: str | None = Field(description="Why the last attempt failed.")
