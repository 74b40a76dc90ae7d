"""Serving central over HTTP: one process, one socket, a graceful end."""

import logging
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from central.errors import StartError
from central.fast_lane import FastLane
from central.tls import Certificate

log = logging.getLogger(__name__)
DRAIN_SECONDS = 6
RENEWAL_TICKS = 100  # ten seconds


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        StartError: the address is in use or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that name their protocol
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise StartError(
            f"Central cannot listen on {host} port {port}: {error.strerror}."
        ) from error
    return listener


def url_of(listener: socket.socket, *, tls: bool = False) -> str:
    """The address at which a socket is reached."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn, telling when it listens, and ending when what it depends on has ended."""

    def __init__(
        self,
        app: FastAPI,
        on_listening: Callable[[], None],
        goes_on: Callable[[], bool] = lambda: True,
        certificate: Certificate | None = None,
    ) -> None:
        context = None if certificate is None else certificate.context
        super().__init__(
            uvicorn.Config(
                app,
                http=FastLane,
                loop="uvloop",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                backlog=2048,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                ssl_context_factory=None if context is None else lambda *_: context,
            )
        )
        self._on_listening = on_listening
        self._goes_on = goes_on
        self._certificate = certificate

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end; and see about the certificate now and then."""
        if self._certificate is not None and counter % RENEWAL_TICKS == 0:
            self._certificate.renew()
        return await super().on_tick(counter) or not self._goes_on()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept, then say so."""
        await super().startup(sockets)
        self._on_listening()
