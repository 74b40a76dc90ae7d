"""What is told: kinds of conditions, messages, and the digest that a channel sends. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, Protocol

State = Literal["firing", "resolved"]
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "node_offline": "OFFLINE",
        "duplicate_agent": "two agents on one key",
        "config_rejected": "configuration refused",
        "fleet_disruption": "fleet disruption",
        "capacity": "out of capacity",
        "stuck": "stuck",
        "contended": "contended",
        "floor_unattainable": "floor not attainable",
        "at_limit": "at its limit",
    }
)
LONGEST_LIST = 50  # entries that one digest spells out


class ChannelError(Exception):
    """A digest was not delivered; one sentence, without secrets."""


@dataclass(frozen=True, slots=True)
class Message:
    """One condition that began or is over; `since` is aware UTC."""

    state: State
    kind: str
    subject: str
    text: str
    since: datetime

    @property
    def line(self) -> str:
        """The message in one line."""
        what = KINDS.get(self.kind, self.kind)
        if self.state == "resolved":
            return f"resolved: {self.subject} {what} (since {self.since:%Y-%m-%d %H:%M} UTC)"
        return f"{self.subject} {what}: {self.text} (since {self.since:%Y-%m-%d %H:%M} UTC)"


@dataclass(frozen=True, slots=True)
class Digest:
    """What a channel sends at once: messages, oldest first. `id` stays when it is sent again."""

    id: str
    messages: tuple[Message, ...]
    at: datetime
    source: str

    @property
    def subject(self) -> str:
        """What it is about, in one short line."""
        firing = [one for one in self.messages if one.state == "firing"]
        parts = [f"{len(firing)} new" if firing else "", self._resolved()]
        first = (firing or self.messages)[0]
        what = f"{first.subject} {KINDS.get(first.kind, first.kind)}"
        more = len(self.messages) - 1
        rest = f" and {more} more" if more else ""
        return f"{', '.join(filter(None, parts))}: {what}{rest}"[:200]

    @property
    def lines(self) -> list[str]:
        """Every message in a line, as far as they are spelled out."""
        shown = [message.line for message in self.messages[:LONGEST_LIST]]
        more = len(self.messages) - len(shown)
        return [*shown, f"… and {more} more"] if more else shown

    def as_json(self) -> dict[str, Any]:
        """The digest as webhooks read it; `text` is what chat services show."""
        return {
            "version": 1,
            "id": self.id,
            "sent_at": _instant(self.at),
            "source": self.source,
            "text": "\n".join([self.subject, *self.lines]),
            "notifications": [
                {
                    "state": one.state,
                    "kind": one.kind,
                    "subject": one.subject,
                    "text": one.text,
                    "since": _instant(one.since),
                }
                for one in self.messages[:LONGEST_LIST]
            ],
            "omitted": max(0, len(self.messages) - LONGEST_LIST),
        }

    def _resolved(self) -> str:
        count = sum(one.state == "resolved" for one in self.messages)
        return f"{count} resolved" if count else ""


class Channel(Protocol):
    """A way to people."""

    @property
    def name(self) -> str:
        """Under which its messages wait in the database: webhook, mail, oci_topic."""
        ...

    def send(self, digest: Digest) -> None:
        """Deliver, or raise ChannelError."""
        ...


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """Where to tell, and how long a pool must be at its limit before it is told."""

    channels: tuple[Channel, ...] = ()
    at_limit: timedelta = timedelta(minutes=15)
    source: str = "poolkeeper"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
