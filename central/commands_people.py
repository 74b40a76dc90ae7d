"""What central reads about people from its environment: Keycloak, browsers, the first ADMIN."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from central.errors import StartError
from central.oidc import roles
from central.oidc.flow import Oidc
from central.oidc.model import OidcSettings

TIMEOUT = httpx.Timeout(10.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """How people reach this central; `first_admin` is an address and a password."""

    oidc: Oidc | None
    public_url: str | None
    first_admin: tuple[str, str] | None


def people_settings(environment: Mapping[str, str] = os.environ) -> PeopleSettings:
    """Read POOLKEEPER_PUBLIC_URL, POOLKEEPER_OIDC_* and POOLKEEPER_FIRST_ADMIN_*.

    Raises:
        StartError: something is missing or cannot be read; the sentence names it.
    """
    public_url = environment.get("POOLKEEPER_PUBLIC_URL")
    email = environment.get("POOLKEEPER_FIRST_ADMIN_EMAIL")
    password = secret(environment, "POOLKEEPER_FIRST_ADMIN_PASSWORD", "first-admin-password")
    if email and password is None:
        raise StartError(
            "POOLKEEPER_FIRST_ADMIN_EMAIL needs a password: POOLKEEPER_FIRST_ADMIN_PASSWORD_FILE."
        )
    first = (email, password) if email and password else None
    return PeopleSettings(_oidc(environment, public_url), public_url, first)


def secret(environment: Mapping[str, str], name: str, credential: str) -> str | None:
    """A secret from systemd's credentials, from the file that NAME_FILE names, or from NAME.

    Raises:
        StartError: the file cannot be read.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    path = environment.get(f"{name}_FILE")
    if path is None and directory and (Path(directory) / credential).is_file():
        path = str(Path(directory) / credential)
    if path is None:
        return environment.get(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{name}: the file {path} cannot be read ({error}).") from error


def _oidc(environment: Mapping[str, str], public_url: str | None) -> Oidc | None:
    issuer = environment.get("POOLKEEPER_OIDC_ISSUER")
    if not issuer:
        return None
    client_secret = secret(environment, "POOLKEEPER_OIDC_CLIENT_SECRET", "oidc-client-secret")
    needed = {
        "POOLKEEPER_OIDC_CLIENT_ID": environment.get("POOLKEEPER_OIDC_CLIENT_ID"),
        "POOLKEEPER_OIDC_CLIENT_SECRET (or _FILE)": client_secret,
        "POOLKEEPER_PUBLIC_URL": public_url,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise StartError(f"POOLKEEPER_OIDC_ISSUER is set, so this is needed: {', '.join(missing)}.")
    mapping = roles.parse(
        environment.get("POOLKEEPER_OIDC_ROLES", ""),
        environment.get("POOLKEEPER_OIDC_DEFAULT_ROLE"),
    )
    settings = OidcSettings(
        issuer,
        environment.get("POOLKEEPER_OIDC_CLIENT_ID") or "",
        client_secret or "",
        public_url or "",
        mapping,
    )
    return Oidc(settings, httpx.Client(timeout=TIMEOUT), time.time, time.monotonic)
