"""Notifications' part of the composition root, and `poolkeeper central notify-test`."""

import os
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import httpx

from central.commands_people import secret
from central.commands_tls import is_here
from central.errors import StartError
from central.notify.mail import Mail
from central.notify.model import Channel, Digest, Message, NotifySettings
from central.notify.oci_topic import OciTopic, Profile
from central.notify.sender import deliver
from central.notify.webhook import Webhook

TIMEOUT = httpx.Timeout(10.0)
PORTS = {"smtp": 587, "smtps": 465}


def notify_settings(environment: Mapping[str, str] = os.environ) -> NotifySettings:
    """Read POOLKEEPER_NOTIFY_*.

    Raises:
        StartError: something is missing or cannot be used; the sentence names it.
    """
    channels = (_webhook(environment), _mail(environment), _topic(environment))
    minutes = environment.get("POOLKEEPER_NOTIFY_AT_LIMIT_MINUTES", "15")
    if not minutes.isdecimal():
        raise StartError("POOLKEEPER_NOTIFY_AT_LIMIT_MINUTES must be a number of minutes.")
    return NotifySettings(
        tuple(channel for channel in channels if channel is not None),
        timedelta(minutes=int(minutes)),
        environment.get("POOLKEEPER_PUBLIC_URL") or "poolkeeper",
    )


def _webhook(environment: Mapping[str, str]) -> Channel | None:
    url = environment.get("POOLKEEPER_NOTIFY_WEBHOOK_URL")
    if not url:
        return None
    parts = urlsplit(url)
    local = parts.scheme == "http" and is_here(parts.hostname or "")
    if parts.scheme != "https" and not local:
        raise StartError("POOLKEEPER_NOTIFY_WEBHOOK_URL must begin with https://.")
    key = secret(environment, "POOLKEEPER_NOTIFY_WEBHOOK_SECRET", "notify-webhook-secret")
    if not key:
        raise StartError(
            "POOLKEEPER_NOTIFY_WEBHOOK_URL needs POOLKEEPER_NOTIFY_WEBHOOK_SECRET (or _FILE), by "
            "which its receiver knows who sends."
        )
    return Webhook(url, key, httpx.Client(timeout=TIMEOUT), time.time)


def _mail(environment: Mapping[str, str]) -> Channel | None:
    server = environment.get("POOLKEEPER_NOTIFY_SMTP")
    if not server:
        return None
    parts = urlsplit(server if "://" in server else f"smtp://{server}")
    host = parts.hostname or ""
    if parts.scheme not in PORTS or not host:
        raise StartError("POOLKEEPER_NOTIFY_SMTP must be smtp://HOST:PORT or smtps://HOST:PORT.")
    sender = environment.get("POOLKEEPER_NOTIFY_MAIL_FROM", "")
    people = tuple(filter(None, environment.get("POOLKEEPER_NOTIFY_MAIL_TO", "").split(",")))
    if "@" not in sender or not people:
        raise StartError(
            "POOLKEEPER_NOTIFY_SMTP needs POOLKEEPER_NOTIFY_MAIL_FROM and "
            "POOLKEEPER_NOTIFY_MAIL_TO (addresses with commas between them)."
        )
    plain = parts.scheme == "smtp" and is_here(host)
    security = "tls" if parts.scheme == "smtps" else "none" if plain else "starttls"
    ca_file = environment.get("POOLKEEPER_NOTIFY_SMTP_CA_FILE")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise StartError(f"POOLKEEPER_NOTIFY_SMTP_CA_FILE: {ca_file}: {error.strerror}.") from error
    password = secret(environment, "POOLKEEPER_NOTIFY_SMTP_PASSWORD", "notify-smtp-password")
    user = unquote(parts.username) if parts.username else None
    port = parts.port or (25 if plain else PORTS[parts.scheme])
    return Mail(host, port, sender, people, security, context, user, password)


def _topic(environment: Mapping[str, str]) -> Channel | None:
    topic = environment.get("POOLKEEPER_NOTIFY_OCI_TOPIC")
    if not topic:
        return None
    path = environment.get("POOLKEEPER_NOTIFY_OCI_CONFIG", "~/.oci/config")
    name = environment.get("POOLKEEPER_NOTIFY_OCI_PROFILE", "DEFAULT")
    profile = Profile.load(Path(path).expanduser(), name)
    endpoint = environment.get("POOLKEEPER_NOTIFY_OCI_ENDPOINT") or (
        f"https://notification.{profile.region}.oci.oraclecloud.com"
    )
    return OciTopic(topic, profile, endpoint, httpx.Client(timeout=TIMEOUT), time.time)


@click.command("notify-test")
def notify_test() -> None:
    """Send a test message on every channel that is set up; exit status 1 when one fails."""
    try:
        settings = notify_settings()
    except StartError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from error
    if not settings.channels:
        click.echo("No channel is set up: see POOLKEEPER_NOTIFY_* in docs/operations.md.", err=True)
        raise SystemExit(2)
    now = datetime.now(UTC)
    test = Message("firing", "test", "poolkeeper", "a test: notifications arrive here", now)
    digest = Digest(f"test-{now:%Y%m%d%H%M%S}", (test,), now, settings.source)
    failed = False
    for channel in settings.channels:
        error_text = deliver(channel, digest, lambda *_: None)
        failed = failed or error_text is not None
        click.echo(f"{channel.name}: {error_text or 'sent'}")
    raise SystemExit(1 if failed else 0)
