"""What operators' commands, browsers and central say to each other about people and the audit."""

from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from shared.wire import Message
from shared.wire_operator import Role

Provider = Literal["local", "keycloak"]
Category = Literal["AUTH", "NODE", "POOL", "USER", "CONFIG", "SYSTEM"]
SessionKind = Literal["bearer", "cookie"]
EMAIL = r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$"


class BrowserSession(Message):
    """A browser's session; `csrf_token` goes into X-CSRF-Token with every unsafe request."""

    email: str
    full_name: str
    role: Role
    csrf_token: str
    expires_at: AwareDatetime


class NewUser(Message):
    """POST /v1/users: a local account."""

    email: str = Field(min_length=3, max_length=255, pattern=EMAIL)
    full_name: str = Field(min_length=1, max_length=255)
    role: Role = "USER"
    password: str = Field(min_length=1, max_length=1000)


class UserChange(Message):
    """PATCH /v1/users/{email}: what is left out stays as it is."""

    full_name: str | None = Field(None, min_length=1, max_length=255)
    role: Role | None = None
    role_override: bool | None = None
    override_reason: str | None = Field(None, max_length=1000)
    is_active: bool | None = None


class UserView(Message):
    """An account. `role_owner` says who decides about its role: keycloak, or admin."""

    id: int
    email: str
    full_name: str
    role: Role
    role_override: bool
    override_reason: str | None
    role_owner: Literal["admin", "keycloak"]
    auth_provider: Provider
    keycloak_user_id: str | None
    is_active: bool
    has_password: bool
    created_at: AwareDatetime | None


class OwnPassword(Message):
    """POST /v1/password: one's own new password; the old one proves who asks."""

    current: str = Field(min_length=1, max_length=1000)
    new: str = Field(min_length=1, max_length=1000)


class NewPassword(Message):
    """POST /v1/users/{email}/password: an ADMIN's reset."""

    new: str = Field(min_length=1, max_length=1000)


class KeycloakLink(Message):
    """POST /v1/users/{email}/link: the subject in Keycloak that this account belongs to."""

    subject: str = Field(min_length=1, max_length=255)


class SessionView(Message):
    """A live session; `current` marks the one that asks."""

    id: int
    kind: SessionKind
    created_at: AwareDatetime
    last_seen_at: AwareDatetime
    expires_at: AwareDatetime
    ip_address: str | None
    user_agent: str | None
    current: bool


class LoginCode(Message):
    """POST /v1/oidc/token: a command line picks up the login that its browser finished."""

    code: str = Field(min_length=1, max_length=200)
    verifier: str = Field(min_length=43, max_length=128)


class LoginWays(Message):
    """GET /v1/login: how one can log in here."""

    password: bool
    keycloak: bool


class AuditRow(Message):
    """One row of audit_logs."""

    id: int
    timestamp: AwareDatetime | None
    actor_id: int | None
    user_email: str | None
    user_role: str | None
    action: str
    category: str
    resource_type: str | None
    resource_id: str | None
    resource_name: str | None
    description: str | None
    details: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None
    status: str | None
    error_message: str | None
    request_id: str | None


class AuditBreak(Message):
    """A place where the trail is not what was written."""

    day: date | None
    row: int | None
    problem: str


class AuditVerdict(Message):
    """GET /v1/audit/verify. `last_seal` belongs beside the copy in the journal."""

    ok: bool
    rows: int
    days: int
    last_seal: str | None
    breaks: list[AuditBreak]


class Retention(Message):
    """For how many days audit rows are kept; null keeps them for good."""

    days: int | None = Field(None, ge=90, le=36_500)
