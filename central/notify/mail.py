"""A digest by mail."""

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime

from central.notify.model import ChannelError, Digest

TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Mail:
    """Hands mails to one server.

    `security` is `starttls` (required, never optional), `tls` from the first byte, or `none`, which
    is for a relay on this machine.
    """

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    security: str
    context: ssl.SSLContext
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    name: str = "mail"

    def send(self, digest: Digest) -> None:
        """Hand it over; the server must take it for every recipient."""
        try:
            with self._connected() as server:
                refused = server.send_message(self._message(digest))
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise ChannelError(f"{self.host} did not take the mail ({_reason(error)})") from error
        if refused:
            raise ChannelError(f"{self.host} refused {', '.join(sorted(refused))}")

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT, context=self.context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
        try:
            if self.security == "starttls":
                server.starttls(context=self.context)
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password)
        except BaseException:
            with suppress(OSError, smtplib.SMTPException):
                server.close()
            raise
        return server

    def _message(self, digest: Digest) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message["Subject"] = "[poolkeeper] " + " ".join(digest.subject.split())
        message["Date"] = format_datetime(digest.at)
        message["Message-ID"] = f"<poolkeeper-{digest.id}@{self.sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join([*digest.lines, "", f"-- {digest.source}", ""]))
        return message


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    return type(error).__name__
