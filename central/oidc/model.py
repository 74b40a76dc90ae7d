"""What a login through Keycloak is made of."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from central.errors import StartError
from central.oidc.roles import RoleMap
from central.store.users import Role

GENERIC = "Keycloak's answer could not be accepted."


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """One issuer, and what this central is to it.

    Attributes:
        issuer: exactly as it stands in the provider's tokens.
        client_id: this central's name at the issuer, a confidential client.
        client_secret: proves it at the token endpoint.
        public_url: the address that browsers use for this central, without a path.
        roles: from Keycloak's roles to ours.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    public_url: str
    roles: RoleMap

    def __post_init__(self) -> None:
        for name, url in (("issuer", self.issuer), ("public URL", self.public_url)):
            if not is_confidential(url):
                raise StartError(
                    f"The {name} {url!r} is refused: use https:// (http:// only on this machine)."
                )
        if urlsplit(self.public_url).path not in ("", "/") or self.public_url.endswith("/"):
            raise StartError("POOLKEEPER_PUBLIC_URL has no path: write https://pools.example.com.")

    @property
    def redirect_uri(self) -> str:
        """The one address to which the issuer may send a browser back."""
        return f"{self.public_url}/v1/oidc/callback"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the issuer vouches for. Only issuer and subject say who it is.

    Attributes:
        issuer: who vouches.
        subject: the user's id at the issuer, never reused.
        email: for people to read; None when no mapper sends it.
        email_verified: False only when the issuer says so.
        full_name: for people to read.
        session: the issuer's own session, which it may end later.
        role: what its roles there earn here; None when nothing matches.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    full_name: str
    session: str | None
    role: Role | None


class OidcRefusedError(Exception):
    """A login that is not accepted.

    The message is for the audit and the log. `shown` is what the browser may tell: nothing that
    depends on which accounts exist.
    """

    def __init__(self, reason: str, *, shown: str = GENERIC) -> None:
        super().__init__(reason)
        self.shown = shown


class ProviderDownError(OidcRefusedError):
    """The issuer does not answer; sessions live on, and local accounts can log in."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, shown="Keycloak does not answer at the moment: try again shortly.")


def is_confidential(url: str) -> bool:
    """Whether what is sent to a URL stays between us and its host."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False
