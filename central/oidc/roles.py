"""From Keycloak's roles to ours: explicit names only, the highest wins. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from central.errors import StartError
from central.store.users import Role

RANKS: tuple[Role, ...] = ("USER", "DEVOPS", "ADMIN")
RULE = re.compile(
    r"(?:realm:(?P<realm>[^=,]+)|client:(?P<client>[^=,/]+)/(?P<name>[^=,]+))=(?P<role>\w+)"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A role in Keycloak, of the realm (`client` None) or of a client, and ours for it."""

    client: str | None
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class RoleMap:
    """The rules, and the role of those whom none matches; None refuses them."""

    rules: tuple[Rule, ...]
    default: Role | None = None

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest role that the claims earn; None for nobody of ours."""
        earned = [rule.role for rule in self.rules if rule.name in roles_in(claims, rule.client)]
        return max(earned, key=RANKS.index, default=self.default)


def parse(rules: str, default: str | None = None) -> RoleMap:
    """Read `realm:NAME=ROLE, client:CLIENT/NAME=ROLE, …`.

    Raises:
        StartError: a rule that cannot be read, or a role that is none of ours.
    """
    found = []
    for part in filter(None, (part.strip() for part in rules.split(","))):
        match = RULE.fullmatch(part)
        if match is None:
            raise StartError(
                f"POOLKEEPER_OIDC_ROLES: {part!r} is no rule; write realm:NAME=ROLE or "
                "client:CLIENT/NAME=ROLE, separated by commas."
            )
        name = match["realm"] or match["name"]
        found.append(Rule(match["client"], name.strip(), _role(match["role"])))
    fallback = _role(default) if default else None
    if not found and fallback is None:
        raise StartError("POOLKEEPER_OIDC_ROLES is empty: nobody could log in through Keycloak.")
    return RoleMap(tuple(found), fallback)


def roles_in(claims: Mapping[str, Any], client: str | None) -> frozenset[str]:
    """The names in `realm_access.roles`, or in `resource_access.CLIENT.roles`.

    Whatever is missing or of another type holds no role.
    """
    holder: Any = claims.get("realm_access" if client is None else "resource_access")
    if client is not None:
        holder = holder.get(client) if isinstance(holder, dict) else None
    names = holder.get("roles") if isinstance(holder, dict) else None
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str))


def carries_roles(claims: Mapping[str, Any]) -> bool:
    """Whether a token says anything about roles."""
    return "realm_access" in claims or "resource_access" in claims


def _role(text: str) -> Role:
    if text not in get_args(Role):
        raise StartError(f"{text!r} is no role: USER, DEVOPS or ADMIN.")
    return cast("Role", text)
