"""Operators' accounts: made, looked up, changed, deleted."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from central.errors import ApiError, not_found
from central.tables import users

Role = Literal["USER", "DEVOPS", "ADMIN"]
Provider = Literal["local", "keycloak"]


@dataclass(frozen=True, slots=True)
class User:
    """An account as central needs it to decide about a request."""

    id: int
    email: str
    full_name: str
    role: Role
    hashed_password: str | None
    is_active: bool
    auth_provider: Provider = "local"
    keycloak_user_id: str | None = None
    keycloak_issuer: str | None = None
    role_override: bool = False
    override_reason: str | None = None

    @property
    def is_usable_admin(self) -> bool:
        """Whether this account can administer even while Keycloak is down."""
        return self.role == "ADMIN" and self.is_active and self.hashed_password is not None


_columns = (
    users.c.id,
    users.c.email,
    users.c.full_name,
    users.c.role,
    users.c.hashed_password,
    users.c.is_active,
    users.c.auth_provider,
    users.c.keycloak_user_id,
    users.c.keycloak_issuer,
    users.c.role_override,
    users.c.override_reason,
)


def create(connection: Connection, email: str, role: Role, name: str, hashed: str) -> int:
    """Add a local account; returns its id.

    Raises:
        ApiError: 409 when the address is taken.
    """
    return _insert(connection, email=email, role=role, full_name=name, hashed_password=hashed)


def create_from_keycloak(
    connection: Connection, email: str, role: Role, name: str, identity: tuple[str, str]
) -> int:
    """Add the account of an identity (issuer, subject); returns its id."""
    issuer, subject = identity
    return _insert(
        connection,
        email=email,
        role=role,
        full_name=name,
        auth_provider="keycloak",
        keycloak_issuer=issuer,
        keycloak_user_id=subject,
    )


def by_email(connection: Connection, email: str, *, lock: bool = False) -> User | None:
    """The account of an address, whatever its letters' case; `lock` keeps it as it is."""
    statement = select(*_columns).where(users.c.email == email.lower())
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else User(*row)


def by_id(connection: Connection, user_id: int) -> User | None:
    """The account of an id."""
    row = connection.execute(select(*_columns).where(users.c.id == user_id)).one_or_none()
    return None if row is None else User(*row)


def by_subject(connection: Connection, issuer: str, subject: str) -> User | None:
    """The account of an identity; only ever by issuer and subject, never by e-mail."""
    statement = select(*_columns).where(
        users.c.keycloak_issuer == issuer, users.c.keycloak_user_id == subject
    )
    row = connection.execute(statement.with_for_update()).one_or_none()
    return None if row is None else User(*row)


def require(connection: Connection, email: str, *, lock: bool = False) -> User:
    """The account of an address.

    Raises:
        ApiError: 404 when there is none.
    """
    user = by_email(connection, email, lock=lock)
    if user is None:
        raise not_found("user", email)
    return user


def page(connection: Connection) -> list[dict[str, Any]]:
    """Every account by address, without its password."""
    wanted = [column for column in _columns if column is not users.c.hashed_password]
    has_password = users.c.hashed_password.is_not(None).label("has_password")
    statement = select(*wanted, users.c.created_at, has_password).order_by(users.c.email)
    return [dict(row) for row in connection.execute(statement).mappings()]


def change(connection: Connection, user_id: int, **values: Any) -> None:
    """Set columns of an account.

    Raises:
        ApiError: 409 when an address or a subject belongs to another account.
    """
    try:
        with connection.begin_nested():
            connection.execute(update(users).where(users.c.id == user_id).values(**values))
    except IntegrityError as error:
        raise ApiError(409, "exists", "Another account has that address or subject.") from error


def renew_hash(connection: Connection, user: User, renewed: str) -> None:
    """Store the same password at today's cost, unless the password was changed meanwhile."""
    same = (users.c.id == user.id, users.c.hashed_password == user.hashed_password)
    connection.execute(update(users).where(*same).values(hashed_password=renewed))


def remove(connection: Connection, user_id: int) -> None:
    """Delete an account; its sessions go with it, its audit rows stay."""
    connection.execute(delete(users).where(users.c.id == user_id))


def count(connection: Connection) -> int:
    """How many accounts there are."""
    return len(connection.execute(select(users.c.id)).all())


def usable_admins(connection: Connection) -> int:
    """How many active ADMINs have a local password, and so can log in whatever happens."""
    statement = select(users.c.id).where(
        users.c.role == "ADMIN", users.c.is_active, users.c.hashed_password.is_not(None)
    )
    return len(connection.execute(statement).all())


def _insert(connection: Connection, **values: Any) -> int:
    try:
        with connection.begin_nested():
            statement = insert(users).values(**values).returning(users.c.id)
            return int(connection.execute(statement).scalar_one())
    except IntegrityError as error:
        raise ApiError(409, "exists", f"There is already a user {values['email']!r}.") from error
