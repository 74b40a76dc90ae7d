"""Who the agent is towards OCI, as the environment says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agent.errors import SettingsError
from agent.secret_files import credential

AuthKind = Literal["instance_principal", "config_file", "api_key"]
AUTH_KINDS: tuple[AuthKind, ...] = ("instance_principal", "config_file", "api_key")


@dataclass(frozen=True, slots=True)
class OciAuth:
    """How requests to OCI are signed. `config_file` uses a profile, `api_key` the four fields.

    `federation_endpoint` is where an instance trades its certificate for a token; None leaves the
    choice to Oracle's SDK.
    """

    kind: AuthKind = "instance_principal"
    config_file: str = "~/.oci/config"
    profile: str = "DEFAULT"
    tenancy: str = ""
    user: str = ""
    fingerprint: str = ""
    key_file: str = ""
    federation_endpoint: str | None = None


def read_oci_auth(environ: Mapping[str, str]) -> OciAuth:
    """Read how to sign.

    Raises:
        SettingsError: an unknown kind, or a key that is not described in full.
    """
    chosen = environ.get("POOLKEEPER_OCI_AUTH", "instance_principal")
    kind = next((kind for kind in AUTH_KINDS if kind == chosen), None)
    if kind is None:
        raise SettingsError(
            f"POOLKEEPER_OCI_AUTH is {chosen!r}; use one of {', '.join(AUTH_KINDS)}"
        )
    auth = OciAuth(
        kind=kind,
        config_file=environ.get("POOLKEEPER_OCI_CONFIG_FILE", "~/.oci/config"),
        profile=environ.get("POOLKEEPER_OCI_CONFIG_PROFILE")
        or environ.get("POOLKEEPER_OCI_PROFILE", "DEFAULT"),
        tenancy=environ.get("POOLKEEPER_OCI_TENANCY", ""),
        user=environ.get("POOLKEEPER_OCI_USER", ""),
        fingerprint=environ.get("POOLKEEPER_OCI_FINGERPRINT", ""),
        key_file=environ.get("POOLKEEPER_OCI_KEY_FILE") or credential(environ, "oci_key.pem"),
        federation_endpoint=_federation(environ),
    )
    if kind == "api_key":
        needed = {
            "POOLKEEPER_OCI_TENANCY": auth.tenancy,
            "POOLKEEPER_OCI_USER": auth.user,
            "POOLKEEPER_OCI_FINGERPRINT": auth.fingerprint,
            "POOLKEEPER_OCI_KEY_FILE": auth.key_file,
        }
        if missing := [name for name, value in needed.items() if not value]:
            raise SettingsError(f"POOLKEEPER_OCI_AUTH=api_key also needs {', '.join(missing)}")
    return auth


def _federation(environ: Mapping[str, str]) -> str | None:
    """One address that serves all of OCI serves the token exchange too, unless told otherwise."""
    given = environ.get("POOLKEEPER_OCI_FEDERATION_ENDPOINT")
    everything = (environ.get("POOLKEEPER_OCI_ENDPOINT") or "").rstrip("/")
    if given or not everything or "{region}" in everything:
        return given or None
    return f"{everything}/v1/x509"
