"""urllib3's connections with one limit for all of it: looking the name up and every address.

urllib3 itself gives the limit to each address anew and none to the lookup.
"""

import socket
from collections.abc import Callable

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError

from agent.clock import Monotonic
from agent.names import Names

_SECONDS = 3.0


def pool_classes(names: Names, monotonic: Monotonic) -> dict[str, type[HTTPConnectionPool]]:
    """Return what a `urllib3.PoolManager` takes as its `pool_classes_by_scheme`."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, super()._new_conn, names, monotonic)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, super()._new_conn, names, monotonic)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connect(
    connection: HTTPConnection,
    connect: Callable[[], socket.socket],
    names: Names,
    monotonic: Monotonic,
) -> socket.socket:
    """Connect to the first address that answers, all within the connection's own limit."""
    host, given = connection.host, connection.timeout
    limit = given if isinstance(given, int | float) else _SECONDS
    deadline = monotonic() + limit
    try:
        addresses = names.addresses(host, connection.port, limit)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    trouble: ConnectTimeoutError | None = None
    try:
        for address in addresses:
            left = deadline - monotonic()
            if left <= 0:
                break
            connection.host, connection.timeout = address, left
            try:
                return connect()
            except ConnectTimeoutError as error:  # NewConnectionError is one too
                trouble = error
    finally:
        connection.host, connection.timeout = host, given
    raise trouble or ConnectTimeoutError(connection, f"no connection to {host} in {limit:.0f} s")
