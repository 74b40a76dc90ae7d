"""An SMTP server on loopback that keeps what it takes; with STARTTLS, logins and refusals."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Lines = Any  # what makefile returns, a BufferedRWPair that typeshed parametrizes privately


@dataclass
class MailServer:
    """Where it is and what it has taken.

    Attributes:
        context: offers STARTTLS with this certificate.
        refuses: the status with which every recipient is refused; 0: none is.
    """

    port: int
    context: ssl.SSLContext | None = None
    refuses: int = 0
    mails: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    def serve(self, connection: socket.socket) -> None:
        """One session."""
        lines = connection.makefile("rwb")
        over_tls = False
        self._say(lines, "220 loopback ESMTP")
        while (line := lines.readline().decode().strip()) and line.upper() != "QUIT":
            word = line.split()[0].upper()
            if word == "EHLO":
                offers = ["AUTH PLAIN"] if over_tls or self.context is None else ["STARTTLS"]
                for text in ["loopback", *offers[:-1]]:
                    self._say(lines, f"250-{text}")
                self._say(lines, f"250 {offers[-1]}")
            elif word == "STARTTLS" and self.context is not None:
                self._say(lines, "220 go on")
                connection = self.context.wrap_socket(connection, server_side=True)
                lines, over_tls = connection.makefile("rwb"), True
            elif word == "AUTH":
                self.logins.append(line)
                self._say(lines, "235 welcome")
            elif word == "RCPT" and self.refuses:
                self._say(lines, f"{self.refuses} not here")
            elif word == "DATA":
                self._say(lines, "354 go on")
                self.mails.append(self._mail(lines))
                self.encrypted.append(over_tls)
                self._say(lines, "250 taken")
            else:
                self._say(lines, "250 ok")
        with contextlib.suppress(OSError):
            self._say(lines, "221 bye")
        connection.close()

    @staticmethod
    def _mail(lines: Lines) -> str:
        found = []
        while (line := lines.readline()) and line.rstrip(b"\r\n") != b".":
            found.append(line.decode())
        return "".join(found)

    @staticmethod
    def _say(lines: Lines, text: str) -> None:
        lines.write(text.encode() + b"\r\n")
        lines.flush()


@contextlib.contextmanager
def mail_server(context: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """Serve one session after the other until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = MailServer(listener.getsockname()[1], context)

    def _serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            with contextlib.suppress(OSError, ssl.SSLError), connection:
                server.serve(connection)

    thread = threading.Thread(target=_serve, name="mail", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
