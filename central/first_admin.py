"""The first ADMIN of a fresh database, from the environment, once."""

import logging

from sqlalchemy import Engine

from central.passwords import check_new_password, hash_password
from central.store import audit, people, users
from central.store.audit import Actor, Event

log = logging.getLogger(__name__)


def ensure_first_admin(engine: Engine, email: str, password: str) -> bool:
    """Make an ADMIN if there is no account at all; whatever exists already is left alone.

    Raises:
        ApiError: the password is refused.
    """
    check_new_password(password)
    with engine.begin() as connection:
        people.lock_without_actor(connection)
        if users.count(connection) > 0:
            return False
        address = email.strip().lower()
        name = address.partition("@")[0]
        user_id = users.create(connection, address, "ADMIN", name, hash_password(password))
        details = {"role": "ADMIN", "from": "environment"}
        event = Event("USER_CREATED", "USER", "user", str(user_id), address, details=details)
        audit.append(connection, Actor(email="central"), event)
    log.info("made the first ADMIN, %s", address)
    return True
