"""Who may do what: one table from route to permission. A route that is not in it is refused.

`docs/security.md` shows the table; `python -m poolkeeper.docs` writes it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Permission(StrEnum):
    """What a route asks of whoever calls it."""

    PUBLIC = "public"  # no login: health, and logging in itself
    NODE = "node"  # a node key, which opens nothing else
    OWN = "own"  # any operator, about the own account
    READ = "read"
    EDIT = "edit"  # configurations, schedules, overrides, nodes, enrolment, keys
    ADMIN = "admin"  # users, roles, retention, audit


ROLES: Mapping[str, frozenset[Permission]] = MappingProxyType(
    {
        "USER": frozenset({Permission.OWN, Permission.READ}),
        "DEVOPS": frozenset({Permission.OWN, Permission.READ, Permission.EDIT}),
        "ADMIN": frozenset({Permission.OWN, Permission.READ, Permission.EDIT, Permission.ADMIN}),
    }
)

_TABLE = """
GET    /openapi.json                               public
GET    /healthz                                    public
GET    /readyz                                     public
GET    /metrics                                    public
POST   /v1/heartbeat                               node
POST   /v1/enroll                                  public
GET    /v1/enroll-tokens                           edit
POST   /v1/enroll-tokens                           edit
DELETE /v1/enroll-tokens/{token_id}                edit

GET    /v1/login                                   public
POST   /v1/login                                   public
POST   /v1/session                                 public
GET    /v1/session                                 own
POST   /v1/logout                                  own
GET    /v1/whoami                                  own
POST   /v1/password                                own
GET    /v1/sessions                                own
DELETE /v1/sessions/{session_id}                   own
GET    /v1/oidc/login                              public
GET    /v1/oidc/callback                           public
POST   /v1/oidc/token                              public
GET    /v1/oidc/logout                             public
POST   /v1/oidc/backchannel-logout                 public

GET    /v1/nodes                                   read
POST   /v1/nodes                                   edit
GET    /v1/nodes/{name}                            read
DELETE /v1/nodes/{name}                            edit
GET    /v1/nodes/{name}/keys                       read
POST   /v1/nodes/{name}/keys                       edit
POST   /v1/nodes/{name}/keys/rotation              edit
DELETE /v1/nodes/{name}/keys                       edit
PUT    /v1/nodes/{name}/maintenance                edit
DELETE /v1/nodes/{name}/maintenance                edit
GET    /v1/nodes/{name}/config                     read
PUT    /v1/nodes/{name}/config                     edit
GET    /v1/nodes/{name}/config/history             read
GET    /v1/nodes/{name}/config/diff                read
POST   /v1/nodes/{name}/config/rollback            edit
POST   /v1/nodes/{name}/config/retry               edit
POST   /v1/nodes/{name}/config/edits               edit
GET    /v1/nodes/{name}/config/adopt               read
POST   /v1/nodes/{name}/config/adopt               edit
POST   /v1/nodes/{name}/config/review              read
POST   /v1/nodes/{name}/config/replay              read
POST   /v1/config/check                            read
GET    /v1/config/schema                           read
GET    /v1/rollouts                                read
POST   /v1/rollouts                                edit
GET    /v1/rollouts/{number}                       read
POST   /v1/rollouts/{number}/halt                  edit
POST   /v1/rollouts/{number}/resume                edit
GET    /v1/pools                                   read
GET    /v1/pools/{pool:path}/analytics             read
GET    /v1/pools/{pool:path}/events                read
GET    /v1/lifecycle                               read
GET    /v1/conditions                              read
GET    /v1/notifications                           read
GET    /v1/pools/{pool:path}/chart                 read
GET    /v1/metrics                                 read
GET    /v1/metrics/chart                           read
GET    /v1/schedules                               read
GET    /v1/system-analytics                        read
GET    /v1/retention                               read
PUT    /v1/retention/{kind}                        admin

GET    /v1/users                                   admin
POST   /v1/users                                   admin
GET    /v1/users/{email}                           admin
PATCH  /v1/users/{email}                           admin
DELETE /v1/users/{email}                           admin
POST   /v1/users/{email}/password                  admin
POST   /v1/users/{email}/link                      admin
GET    /v1/users/{email}/sessions                  admin
DELETE /v1/users/{email}/sessions                  admin
GET    /v1/audit                                   admin
GET    /v1/audit/export                            admin
GET    /v1/audit/verify                            admin
GET    /v1/audit/retention                         admin
PUT    /v1/audit/retention                         admin

GET    /assets/{name:path}                         public
GET    /sign-in                                    public
POST   /sign-in                                    public
POST   /sign-out                                   own
GET    /                                           read
GET    /fleet/rows                                 read
GET    /nodes/{name}/pools/{pool:path}             read
GET    /pools/{number}/now                         read
GET    /pools/{number}/plot                        read
POST   /pools/{number}/preview                     edit
POST   /pools/{number}/edit                        edit
GET    /system                                     read
GET    /system/now                                 read
GET    /system/plot                                read
POST   /system/retention                           admin
GET    /nodes                                      read
POST   /nodes                                      edit
POST   /nodes/enroll-tokens                        edit
POST   /nodes/enroll-tokens/{token_id}/revoke      edit
GET    /nodes/{name}                               read
GET    /nodes/{name}/live                          read
POST   /nodes/{name}/rotate-key                    edit
POST   /nodes/{name}/renew-key                     edit
POST   /nodes/{name}/revoke-keys                   edit
POST   /nodes/{name}/maintenance                   edit
POST   /nodes/{name}/retry                         edit
GET    /nodes/{name}/delete                        edit
POST   /nodes/{name}/delete                        edit
GET    /nodes/{name}/config                        read
POST   /nodes/{name}/config                        edit
GET    /nodes/{name}/config/state                  read
POST   /nodes/{name}/config/review                 edit
POST   /nodes/{name}/config/replay                 read
POST   /nodes/{name}/config/adopt                  edit
GET    /nodes/{name}/config/history                read
GET    /nodes/{name}/config/versions/{generation}  read
GET    /nodes/{name}/config/rollback               edit
POST   /nodes/{name}/config/rollback               edit
GET    /rollouts                                   read
POST   /rollouts                                   edit
POST   /rollouts/preview                           edit
GET    /rollouts/{number}                          read
GET    /rollouts/{number}/live                     read
POST   /rollouts/{number}/halt                     edit
POST   /rollouts/{number}/resume                   edit
GET    /lifecycle                                  read
GET    /audit                                      admin
GET    /audit/verify                               admin
GET    /users                                      admin
POST   /users                                      admin
GET    /users/{email}                              admin
POST   /users/{email}                              admin
POST   /users/{email}/password                     admin
POST   /users/{email}/link                         admin
POST   /users/{email}/sessions                     admin
POST   /users/{email}/delete                       admin
GET    /account                                    own
POST   /account/password                           own
POST   /account/sessions/{session_id}/end          own
"""


def _read(table: str) -> dict[tuple[str, str], Permission]:
    rows = (line.split() for line in table.splitlines() if line.strip())
    return {(method, path): Permission(permission) for method, path, permission in rows}


ROUTES: Mapping[tuple[str, str], Permission] = MappingProxyType(_read(_TABLE))


def required(method: str, path: str) -> Permission | None:
    """What a route template asks for; None means that nobody may call it."""
    return ROUTES.get((method, path))


def allows(role: str, permission: Permission) -> bool:
    """Whether a role holds a permission."""
    return permission in ROLES.get(role, frozenset())


def render() -> str:
    """The roles table for the documentation."""
    heads = ("route", "USER", "DEVOPS", "ADMIN", "without login", "node key")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for (method, path), permission in ROUTES.items():
        marks = [
            permission is Permission.PUBLIC or allows(role, permission)
            for role in ("USER", "DEVOPS", "ADMIN")
        ]
        marks += [permission is Permission.PUBLIC, permission is Permission.NODE]
        cells = ("yes" if mark else "" for mark in marks)
        lines.append(f"| `{method} {path}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
