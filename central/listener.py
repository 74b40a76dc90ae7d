"""A connection that hears of revoked keys from every replica (LISTEN/NOTIFY)."""

import logging
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)
CHANNEL = "poolkeeper_keys"
CHECK_SECONDS = 5.0
RECONNECT_SECONDS = 1.0


class Listener:
    """Calls `changed` with each notification's payload, `listening` when hearing starts or ends.

    A lost connection may have lost notifications: whoever depends on them must start afresh.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        changed: Callable[[str], None],
        listening: Callable[[bool], None],
    ) -> None:
        self._engine = engine
        self._changed = changed
        self._listening = listening
        self._stop = threading.Event()
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to listen, and to reconnect for ever."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, if it ever began; returns at once."""
        self._stop.set()
        self._waker.send(b"\0")
        if self._thread.is_alive():
            self._thread.join(CHECK_SECONDS)
        self._wake.close()
        self._waker.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (psycopg2.Error, SQLAlchemyError, OSError) as error:
                log.warning("not hearing notifications: %s", type(error).__name__)
            finally:
                self._listening(False)
            self._stop.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()  # kept for as long as we listen, so not one of the pool's
        try:
            connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            cursor = connection.cursor()
            cursor.execute(f"LISTEN {CHANNEL}")
            self._listening(True)
            while not self._stop.is_set():
                if not select.select([connection, self._wake], [], [], CHECK_SECONDS)[0]:
                    cursor.execute("SELECT 1")  # a silent connection may be a dead one
                connection.poll()
                while connection.notifies:
                    self._changed(connection.notifies.pop(0).payload)
        finally:
            connection.close()
