"""A TCP proxy that sometimes swallows a reply, and a balancer over several servers."""

import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self


class TcpProxy:
    """Forwards each connection to the port that `choose` names at that moment.

    A connection whose server ends is closed, as a plain TCP balancer does.
    """

    def __init__(self, choose: Callable[[], int]) -> None:
        self._choose = choose
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            self._close(connection)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._choose()), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._open |= {client, server}
            for source, target, is_reply in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._forward, args=(source, target, is_reply), daemon=True
                ).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_reply and self._swallows():
                    break
                target.sendall(data)
        self._close(source)
        self._close(target)

    def _close(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        self._open.discard(connection)

    def _swallows(self) -> bool:
        return False


class LossyProxy(TcpProxy):
    """Loses a share of the replies, and their connections, after the server has sent them."""

    def __init__(self, choose: Callable[[], int], chance: random.Random, share: float) -> None:
        super().__init__(choose)
        self._chance = chance
        self._share = share
        self.lost = 0

    def _swallows(self) -> bool:
        swallows = self._chance.random() < self._share
        self.lost += swallows
        return swallows
