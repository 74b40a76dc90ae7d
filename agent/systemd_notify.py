"""Telling systemd how the service is doing (sd_notify). Without a socket it does nothing."""

import socket


class Notifier:
    """Sends datagrams to the socket that systemd names in NOTIFY_SOCKET."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._is_ready = False

    def ready(self) -> None:
        """Say, once, that the service is up: the first configuration is in force."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")

    def status(self, text: str) -> None:
        """Set the one line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog; call it for completed ticks only."""
        self._send("WATCHDOG=1")

    def watchdog(self, seconds: float) -> None:
        """Change how long systemd waits for `alive` from now on."""
        self._send(f"WATCHDOG_USEC={int(seconds * 1e6)}")

    def reloading(self, monotonic_seconds: float) -> None:
        """Say that a reload begins; `reloaded` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic_seconds * 1e6)}")

    def reloaded(self) -> None:
        """Say that the reload is over."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Say that the service is on its way down."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(address)
                channel.sendall(message.encode())
        except OSError:
            return  # systemd is gone or not ours; the pools matter more
