"""HTTPS that trusts the authorities in a file, read again whenever the file changes."""

import logging
import ssl
import threading
from pathlib import Path

import httpx

log = logging.getLogger(__name__)
_Stamp = tuple[int, int, int]


class FreshTrust(httpx.BaseTransport):
    """Verifies servers against a bundle that may be replaced while the agent runs.

    A bundle that cannot be read never weakens anything: the one before stays in force.

    Raises:
        OSError, ssl.SSLError: the bundle cannot be read at the start.
    """

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self._lock = threading.Lock()
        self._stamp = _stamp(bundle)
        self._transport = _transport(bundle)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Make the request, over a new connection when the bundle is a new one."""
        return self._current().handle_request(request)

    def close(self) -> None:
        """Close what is open."""
        self._transport.close()

    def _current(self) -> httpx.HTTPTransport:
        with self._lock:
            try:
                stamp = _stamp(self._bundle)
                if stamp != self._stamp:
                    fresh = _transport(self._bundle)
                    self._transport.close()
                    self._transport, self._stamp = fresh, stamp
                    log.info("the authorities in %s are in force", self._bundle)
            except OSError as error:  # ssl.SSLError is one
                log.warning("cannot read %s, the old one stays: %s", self._bundle, error)
            return self._transport


def _transport(bundle: Path) -> httpx.HTTPTransport:
    return httpx.HTTPTransport(verify=ssl.create_default_context(cafile=str(bundle)))


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
