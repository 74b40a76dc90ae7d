"""uvicorn's HTTP protocol, with bounds on a request's head: its size and the time it takes."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 16 * 1024
HEAD_SECONDS = 5.0


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head that is too large gets a 400; one that is too slow, nothing."""

    _in_head = True
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        """From now on the first head is awaited."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Parse, then see whether a head is still under way."""
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        elif self._head_timer is None:
            self._await_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.head_is_complete()
        super().on_headers_complete()

    def head_is_complete(self) -> None:
        """Stop counting and timing the head."""
        self._in_head, self._head_bytes = False, 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is awaited."""
        self.head_is_complete()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End when nothing is owed; an idle client need not answer the goodbye that TLS knows."""
        super().shutdown()
        idle = self.transport.is_closing() and not self.transport.get_write_buffer_size()
        if idle and self.scheme == "https":
            self.transport.abort()

    def expect_another(self) -> None:
        """Close the connection if no other request comes in time."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
