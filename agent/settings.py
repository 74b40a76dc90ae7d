"""Who the agent is and whom it trusts: values read from the environment, never from YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from agent.errors import SettingsError
from agent.keyring import is_one_key

AuthKind = Literal["instance_principal", "config_file", "api_key"]
METADATA_URL = "http://169.254.169.254/opc/v2"
"""Oracle's instance metadata service, version 2."""
DEFAULT_LISTEN = "127.0.0.1:9467"
"""Where metrics, health and status are served; loopback only."""
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


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on; port 0 takes a free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ClockSpec:
    """A clock for rehearsals: `scale` times wall time, from a pair of origins."""

    scale: float = 1.0
    simulated: datetime | None = None
    wall: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything about this node that no configuration file may change.

    Attributes:
        central_url: base URL of the central store; None runs alone.
        api_key: the node's key; never shown.
        central_ca_file: who may vouch for central; None: the usual authorities.
        state_dir: where state, outbox and last-known-good configurations are kept.
        config_file: a local configuration; with a central it only bootstraps.
        oci_endpoint: one base URL for all OCI services (simulator, private endpoint).
        metadata_url: where an OCI instance learns about itself.
        prometheus_url: the server that policies with `source: prometheus` ask.
        prometheus_token: its bearer token; never shown.
        listen: where metrics and status are served, on loopback; None: nowhere.
        guard_file: what the node's owner allows whatever the YAML says.
        trace_file: every decision is appended there as a JSON line, for replays.
        notify_socket: where systemd listens.
        watchdog_seconds: systemd kills the agent when no tick completes for so long.
    """

    state_dir: Path
    central_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    central_ca_file: Path | None = None
    config_file: Path | None = None
    oci_auth: OciAuth = field(default_factory=OciAuth)
    oci_endpoint: str | None = None
    metadata_url: str = METADATA_URL
    prometheus_url: str | None = None
    prometheus_token: str | None = field(default=None, repr=False)
    listen: Listen | None = None
    guard_file: Path | None = None
    trace_file: Path | None = None
    clock: ClockSpec = field(default_factory=ClockSpec)
    notify_socket: str | None = None
    watchdog_seconds: float | None = None


def read_settings(environ: Mapping[str, str], config_file: Path | None = None) -> Settings:
    """Read the environment.

    Args:
        environ: the process environment.
        config_file: a local configuration named on the command line.

    Raises:
        SettingsError: something is missing or cannot be used; the sentence names the variable.
    """
    state = environ.get("POOLKEEPER_STATE_DIR") or environ.get("STATE_DIRECTORY")
    if not state:
        raise SettingsError("POOLKEEPER_STATE_DIR is not set: name a directory for the state")
    central = environ.get("POOLKEEPER_CENTRAL_URL") or None
    if central is not None:
        check_central_url(central)
    endpoint = environ.get("POOLKEEPER_OCI_ENDPOINT") or None
    key = _secret(environ, "POOLKEEPER_API_KEY", "api_key")
    if central is not None and key is None:
        raise SettingsError(
            "POOLKEEPER_CENTRAL_URL is set but no node key: set POOLKEEPER_API_KEY_FILE, or pass"
            " the systemd credential api_key"
        )
    prometheus = environ.get("POOLKEEPER_PROMETHEUS_URL") or None
    token = _secret(environ, "POOLKEEPER_PROMETHEUS_TOKEN", "prometheus_token")
    if prometheus is not None:
        check_url("POOLKEEPER_PROMETHEUS_URL", prometheus, has_secret=token is not None)
    watchdog = environ.get("WATCHDOG_USEC")
    return Settings(
        state_dir=Path(state),
        central_url=central.rstrip("/") if central else None,
        api_key=key,
        central_ca_file=_path(environ, "POOLKEEPER_CENTRAL_CA_FILE"),
        config_file=config_file,
        oci_auth=_auth(environ),
        oci_endpoint=endpoint.rstrip("/") if endpoint else None,
        metadata_url=(environ.get("OCI_METADATA_BASE_URL") or METADATA_URL).rstrip("/"),
        prometheus_url=prometheus,
        prometheus_token=token,
        listen=parse_listen(environ.get("POOLKEEPER_STATUS_LISTEN") or DEFAULT_LISTEN),
        guard_file=_path(environ, "POOLKEEPER_GUARD_FILE"),
        trace_file=_path(environ, "POOLKEEPER_TRACE_FILE"),
        clock=parse_clock(environ.get("POOLKEEPER_CLOCK", "")),
        notify_socket=environ.get("NOTIFY_SOCKET"),
        watchdog_seconds=int(watchdog) / 1e6 if watchdog and watchdog.isdigit() else None,
    )


def check_central_url(url: str) -> None:
    """Refuse a central that would see the node's key in the clear.

    Raises:
        SettingsError: not https, unless it is this very host.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"POOLKEEPER_CENTRAL_URL is not a URL such as https://central: {url!r}")
    if parts.username or parts.password:
        raise SettingsError("POOLKEEPER_CENTRAL_URL holds a password: the node key goes elsewhere")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise SettingsError(
            f"POOLKEEPER_CENTRAL_URL is http:// to {parts.hostname}: the node's key would travel"
            " unprotected; use https:// (http:// is only for this host itself)"
        )


def check_url(variable: str, url: str, *, has_secret: bool) -> None:
    """Refuse what is no web address, or would show a secret in logs or on the way.

    Raises:
        SettingsError: the sentence names the variable.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{variable} is not a URL such as https://prometheus: {url!r}")
    if parts.username or parts.password:
        raise SettingsError(f"{variable} holds a password: a token goes into a file of its own")
    if has_secret and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise SettingsError(
            f"{variable} is http:// to {parts.hostname}: its token would travel unprotected;"
            " use https://"
        )


def parse_listen(text: str) -> Listen | None:
    """Read `127.0.0.1:9467`; `off` is None.

    Raises:
        SettingsError: no address, or one that others could reach.
    """
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535 or ":" in host or not _is_loopback(host):
        raise SettingsError(
            f"POOLKEEPER_STATUS_LISTEN is {text!r}: give a loopback address such as"
            f" {DEFAULT_LISTEN}, or off"
        )
    return Listen("127.0.0.1" if host == "localhost" else host, int(port))


def parse_clock(text: str) -> ClockSpec:
    """Read `scale=60;simulated=2026-01-05T08:00:00Z;wall=2026-01-05T07:00:00Z`; empty: real time.

    Raises:
        SettingsError: an unknown key, or a value that is no number or instant.
    """
    given = dict(part.partition("=")[::2] for part in text.split(";") if part)
    if unknown := given.keys() - {"scale", "simulated", "wall"}:
        raise SettingsError(f"POOLKEEPER_CLOCK does not know {', '.join(sorted(unknown))}")
    try:
        scale = float(given.get("scale", "1"))
        moments = {
            name: datetime.fromisoformat(given[name])
            for name in ("simulated", "wall")
            if name in given
        }
    except ValueError as error:
        raise SettingsError(f"POOLKEEPER_CLOCK: {error}") from error
    if scale <= 0 or any(moment.tzinfo is None for moment in moments.values()):
        raise SettingsError("POOLKEEPER_CLOCK needs a scale above 0 and instants with their zone")
    return ClockSpec(scale, moments.get("simulated"), moments.get("wall"))


def _auth(environ: Mapping[str, str]) -> OciAuth:
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
        key_file=environ.get("POOLKEEPER_OCI_KEY_FILE") or _credential(environ, "oci_key.pem"),
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


def _secret(environ: Mapping[str, str], name: str, credential: str) -> str | None:
    if environ.get(name):
        return _one_key(environ[name].strip(), name)
    path = environ.get(f"{name}_FILE") or _credential(environ, credential)
    if not path:
        return None
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {name} from {path}: {error}") from error
    if not secret:
        raise SettingsError(f"{path}, which should hold {name}, is empty")
    return _one_key(secret, path)


def _one_key(secret: str, place: str) -> str:
    if not is_one_key(secret):
        what = "does not hold one node key or token: one line of ASCII, without spaces"
        raise SettingsError(f"{place} {what}")
    return secret


def _credential(environ: Mapping[str, str], name: str) -> str:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / name if directory else None
    return str(path) if path and path.is_file() else ""


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
