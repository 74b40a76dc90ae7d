"""Who did what: rows that are only ever added, in the transaction of the change itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, insert

from central.tables import audit_logs

Category = Literal["AUTH", "NODE", "POOL", "USER", "CONFIG", "SYSTEM"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever makes a request; without `user_id` nobody is known yet, or central itself acts."""

    user_id: int | None = None
    email: str | None = None
    role: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One audited action, such as NODE_CREATED in the category NODE."""

    action: str
    category: Category
    resource_type: str | None = None
    resource_id: str | None = None
    resource_name: str | None = None
    description: str | None = None
    details: Mapping[str, Any] | None = None
    error_message: str | None = None

    def failed(self, why: str) -> "Event":
        """The same action, refused or failed."""
        return replace(self, error_message=why)


def append(connection: Connection, actor: Actor, event: Event) -> None:
    """Add a row; an event with an error message is a FAILURE."""
    connection.execute(
        insert(audit_logs).values(
            user_id=actor.user_id,
            user_email=actor.email and actor.email[:255],
            user_role=actor.role,
            action=event.action,
            category=event.category,
            resource_type=event.resource_type,
            resource_id=event.resource_id,
            resource_name=event.resource_name,
            description=event.description,
            details=None if event.details is None else json.dumps(event.details),
            ip_address=actor.ip_address,
            user_agent=actor.user_agent and actor.user_agent[:1000],
            status="SUCCESS" if event.error_message is None else "FAILURE",
            error_message=event.error_message,
            request_id=actor.request_id,
        )
    )
