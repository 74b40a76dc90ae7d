"""What is left behind: audit days are sealed, old ones, dead logins and old streams removed."""

import logging

from sqlalchemy import Engine, text

from central.store import (
    audit,
    audit_trail,
    enrolment,
    logins,
    sessions,
    streams,
    throttles,
)
from central.store.audit import Actor, Event

log = logging.getLogger(__name__)
HOUSEKEEPING_LOCK = 0x706F6F6C05  # "pool" 05: one replica at a time
CENTRAL = Actor(email="central")


def tidy(engine: Engine) -> None:
    """Do what is due; another replica that does it already is left to it.

    New seals are logged: a copy outside of the database shows when somebody rewrites it whole.
    """
    with engine.begin() as connection:
        key = {"key": HOUSEKEEPING_LOCK}
        if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), key).scalar():
            return
        for seal in audit_trail.seal_finished_days(connection):
            log.info("audit day %s is sealed: %d rows, seal %s", seal.day, seal.rows, seal.seal)
        removed = audit_trail.remove_old_days(connection)
        if removed:
            event = Event("AUDIT_DAYS_REMOVED", "SYSTEM", "audit", details={"rows": removed})
            audit.append(connection, CENTRAL, event)
        for store in (logins, sessions, throttles, streams, enrolment):
            store.forget_old(connection)
