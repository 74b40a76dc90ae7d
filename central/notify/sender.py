"""Sending what is queued: one digest a minute for each channel, again until it arrives."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from central.notify.model import Channel, ChannelError, Digest, Message, NotifySettings

log = logging.getLogger(__name__)
MOST_AT_ONCE = 1000
# Whoever claims messages has them to itself for as long as the next attempt is away, also when it
# dies: half a minute after the first failure, then twice as long each time, an hour at most.
_CLAIM = """
WITH due AS (
    SELECT id FROM notifications
    WHERE channel = :channel AND sent_at IS NULL AND next_attempt_at <= now()
      AND created_at > now()::timestamp - interval '1 day'
      AND NOT EXISTS (SELECT FROM notifications s WHERE s.channel = :channel
                      AND s.sent_at > now()::timestamp - make_interval(secs => :pause))
    ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE notifications n SET attempts = attempts + 1,
        next_attempt_at = now() + make_interval(secs => LEAST(30 * 2 ^ LEAST(attempts, 10), 3600))
    FROM due WHERE n.id = due.id
    RETURNING n.id, n.state, n.kind, n.subject, n.text, n.since
)
SELECT *, now() AS at FROM claimed ORDER BY id
"""
_SENT = "UPDATE notifications SET sent_at = now(), error = NULL WHERE id = ANY(:ids)"
_FAILED = "UPDATE notifications SET error = :error WHERE id = ANY(:ids)"


@dataclass(frozen=True, slots=True)
class Claimed:
    """Messages that nobody else sends at the moment."""

    ids: list[int]
    digest: Digest


def send_due(
    engine: Engine, settings: NotifySettings, pause_seconds: float = 60.0
) -> dict[str, bool]:
    """Send what is due on every channel; tells for each that had something whether it arrived."""
    done = {}
    for channel in settings.channels:
        with engine.begin() as connection:
            claimed = _claim(connection, channel.name, settings.source, pause_seconds)
        if claimed is not None:
            error = deliver(channel, claimed.digest)
            with engine.begin() as connection:
                _note(connection, claimed.ids, error)
            done[channel.name] = error is None
    return done


def deliver(
    channel: Channel, digest: Digest, tell: Callable[..., None] = log.warning
) -> str | None:
    """Send a digest; returns why it failed, which is told, or None."""
    try:
        channel.send(digest)
    except ChannelError as error:
        tell("notifications by %s: %s", channel.name, error)
        return str(error)
    return None


def _claim(connection: Connection, channel: str, source: str, pause: float) -> Claimed | None:
    values = {"channel": channel, "pause": pause, "most": MOST_AT_ONCE}
    rows = list(connection.execute(text(_CLAIM), values))
    if not rows:
        return None
    messages = tuple(
        Message(row.state, row.kind, row.subject, row.text, row.since.replace(tzinfo=UTC))
        for row in rows
    )
    ids = [row.id for row in rows]
    at: datetime = rows[0].at
    return Claimed(ids, Digest(f"{ids[0]}-{ids[-1]}", messages, at, source))


def _note(connection: Connection, ids: list[int], error: str | None) -> None:
    if error is None:
        connection.execute(text(_SENT), {"ids": ids})
    else:
        connection.execute(text(_FAILED), {"ids": ids, "error": error[:2000]})
