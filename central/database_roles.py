"""Two roles in the database: one owns the audit trail, the other only adds to it.

The owner migrates. The application works with everything else as its own, and may read and insert
audit rows, but neither change, delete nor truncate them, nor write the chain over them, nor switch
its triggers off.
"""

import logging

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url

from central.database import open_engine
from central.errors import StartError
from central.migrate import migrate

log = logging.getLogger(__name__)
TRAIL = ("audit_logs", "audit_links", "audit_seals")
KEPT = (*TRAIL, "alembic_version")
FUNCTIONS = (
    "audit_text(audit_logs)",
    "guard_audit_logs()",
    "link_audit_row()",
    "seal_audit_days(date)",
    "remove_audit_days(date)",
)
CALLABLE = ("seal_audit_days(date)", "remove_audit_days(date)")


def migrate_as_owner(owner_url: str, application_url: str) -> None:
    """Bring the schema up to date as its owner, then give the application its part."""
    application = make_url(application_url).username
    owner = open_engine(owner_url, pool_size=1)
    try:
        migrate(owner)
        if application is not None and application != make_url(owner_url).username:
            hand_over(owner, application)
    finally:
        owner.dispose()


def hand_over(owner: Engine, application: str) -> None:
    """Make everything but the audit trail the application's; safe to do after each migration.

    Raises:
        StartError: there is no such role, or the owner may not act for it.
    """
    with owner.begin() as connection:
        _require_role(connection, application)
        role = _quoted(connection, application)
        connection.exec_driver_sql(f"GRANT USAGE, CREATE ON SCHEMA public TO {role}")
        for table in _tables(connection):
            target = "CURRENT_USER" if table in KEPT else role
            connection.exec_driver_sql(f"ALTER TABLE {table} OWNER TO {target}")
        for function in FUNCTIONS:
            connection.exec_driver_sql(f"ALTER FUNCTION {function} OWNER TO CURRENT_USER")
        for function in CALLABLE:
            connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
            connection.exec_driver_sql(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")
        for table in KEPT:
            connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM PUBLIC, {role}")
            connection.exec_driver_sql(f"GRANT SELECT ON {table} TO {role}")
        connection.exec_driver_sql(f"GRANT INSERT ON audit_logs TO {role}")
        connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE audit_logs_id_seq TO {role}")
        _take_database(connection, application)


def may_edit_the_trail(connection: Connection) -> bool:
    """Whether this connection's role could change audit rows, were it not for the triggers."""
    statement = "SELECT has_table_privilege('audit_logs', 'UPDATE, DELETE, TRUNCATE')"
    return bool(connection.execute(text(statement)).scalar())


def warn_if_trail_is_open(engine: Engine) -> None:
    """Say so when central runs with a role that could mend the audit trail."""
    with engine.connect() as connection:
        if may_edit_the_trail(connection):
            log.warning(
                "this database role owns the audit trail: run `poolkeeper central migrate "
                "--application-role NAME` as the owner, and serve as NAME"
            )


def _require_role(connection: Connection, application: str) -> None:
    row = connection.execute(
        text(
            "SELECT pg_has_role(current_user, rolname, 'USAGE') AS may, rolsuper AS is_super, "
            "current_user AS owner FROM pg_roles WHERE rolname = :name"
        ),
        {"name": application},
    ).one_or_none()
    if row is None:
        raise StartError(f"There is no role {application!r}: CREATE ROLE {application} LOGIN …")
    if row.is_super:
        raise StartError(f"The role {application!r} is a superuser: nothing would bind it.")
    if not row.may:
        raise StartError(
            f"{row.owner!r} may not act for {application!r}: GRANT {application} TO {row.owner};"
        )


def _tables(connection: Connection) -> list[str]:
    rows = connection.scalars(
        text(
            "SELECT quote_ident(relname) FROM pg_class WHERE relkind IN ('r', 'p') "
            "AND relnamespace = 'public'::regnamespace ORDER BY relkind DESC, relname"
        )
    )
    return list(rows)


def _take_database(connection: Connection, application: str) -> None:
    """Whoever owns the database could drop the trail with its schema."""
    owned_by: str = connection.execute(
        text("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
    ).scalar_one()
    if owned_by == application:
        name: str = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
        role = _quoted(connection, application)
        connection.exec_driver_sql(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
        connection.exec_driver_sql(f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {role}")


def _quoted(connection: Connection, name: str) -> str:
    quoted: str = connection.execute(text("SELECT quote_ident(:name)"), {"name": name}).scalar_one()
    return quoted
