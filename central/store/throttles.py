"""How often a login may fail, per account and per address, counted for all replicas together."""

from sqlalchemy import Connection, delete, func, select, text

from central.tables_support import login_throttles

FREE_PER_ACCOUNT, FREE_PER_ADDRESS = 5, 20  # failures an hour that cost nothing
THROTTLE_LOCK = 0x706F6F6C06  # "pool" 06, with the subject's own hash
LONGEST_BLOCK_SECONDS = 900  # a lock that has an end cannot be used to keep somebody out for good


def subjects(email: str, address: str | None) -> list[str]:
    """What a login counts against: its account, known or not, and where it comes from."""
    return [f"account:{email}", f"address:{address}"]


def seconds_blocked(connection: Connection, names: list[str]) -> float:
    """How long the longest block on any of these subjects still lasts; 0 when none does.

    Attempts on the same subject wait here for one another until their transaction ends.
    """
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, :seed))")
    for name in sorted(names):  # one order for everybody: no deadlock
        connection.execute(lock, {"name": name, "seed": THROTTLE_LOCK})
    left = func.extract(
        "epoch", func.max(login_throttles.c.blocked_until) - text("now()::timestamp")
    )
    statement = select(left).where(login_throttles.c.subject.in_(names))
    return max(0.0, float(connection.execute(statement).scalar_one() or 0))


def count_attempt(connection: Connection, names: list[str]) -> None:
    """Count an attempt as failed, before its password is looked at.

    So attempts made at the same time cannot slip past the count. From the free number in an hour
    on, each doubles the block, from a second to a quarter of an hour.
    """
    for name in sorted(names):
        connection.execute(
            text("""
                INSERT INTO login_throttles AS t (subject, failures) VALUES (:subject, 1)
                ON CONFLICT (subject) DO UPDATE SET
                  failures = CASE WHEN t.window_started_at < now() - interval '1 hour'
                                  THEN 1 ELSE t.failures + 1 END,
                  window_started_at = CASE WHEN t.window_started_at < now() - interval '1 hour'
                                  THEN now() ELSE t.window_started_at END
            """),
            {"subject": name},
        )
    block(connection, names)


def block(connection: Connection, names: list[str]) -> None:
    """Start the block that the failures so far deserve; again once the password proved wrong."""
    for name in sorted(names):
        free = FREE_PER_ACCOUNT if name.startswith("account:") else FREE_PER_ADDRESS
        connection.execute(
            text("""
                UPDATE login_throttles
                SET blocked_until = now()
                    + LEAST(:longest, 2 ^ LEAST(20, failures - :free)) * interval '1 second'
                WHERE subject = :subject AND failures >= :free
            """),
            {"subject": name, "free": free, "longest": LONGEST_BLOCK_SECONDS},
        )


def forgive(connection: Connection, names: list[str]) -> None:
    """After a right password: forget the account's failures, and this attempt of its address."""
    accounts = [name for name in names if name.startswith("account:")]
    connection.execute(delete(login_throttles).where(login_throttles.c.subject.in_(accounts)))
    connection.execute(
        text(
            "UPDATE login_throttles SET failures = GREATEST(0, failures - 1), "
            "blocked_until = NULL WHERE subject = ANY(:names)"
        ),
        {"names": names},
    )


def forget_old(connection: Connection) -> None:
    """Delete counts whose hour is over: made-up accounts must not fill the table."""
    connection.execute(
        text("""
            DELETE FROM login_throttles
            WHERE window_started_at < now() - interval '1 hour'
              AND (blocked_until IS NULL OR blocked_until < now())
        """)
    )
