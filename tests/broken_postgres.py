"""Ends of a PostgreSQL that nobody planned."""

import signal

from central.embedded import EmbeddedPostgres


def crash(server: EmbeddedPostgres) -> None:
    """What `pg_ctl stop -m immediate` does; `server.start()` brings it back through recovery."""
    process, server._process = server._process, None
    lock, server._lock = server._lock, None
    assert process is not None
    assert lock is not None
    process.send_signal(signal.SIGQUIT)
    process.wait(30)
    lock.close()
