"""Who the agent is and whom it trusts: values read from the environment, never from YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.addresses import DEFAULT_LISTEN, Listen, check_central_url, check_url, parse_listen
from agent.errors import SettingsError
from agent.oci_auth import OciAuth, read_oci_auth
from agent.rehearsal import ClockSpec, parse_clock
from agent.secret_files import read_secret

METADATA_URL = "http://169.254.169.254/opc/v2"
"""Oracle's instance metadata service, version 2."""


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
    key = read_secret(environ, "POOLKEEPER_API_KEY", "api_key")
    if central is not None and key is None:
        raise SettingsError(
            "POOLKEEPER_CENTRAL_URL is set but no node key: set POOLKEEPER_API_KEY_FILE, or pass"
            " the systemd credential api_key"
        )
    prometheus = environ.get("POOLKEEPER_PROMETHEUS_URL") or None
    token = read_secret(environ, "POOLKEEPER_PROMETHEUS_TOKEN", "prometheus_token")
    if prometheus is not None:
        check_url("POOLKEEPER_PROMETHEUS_URL", prometheus, has_secret=token is not None)
    watchdog = environ.get("WATCHDOG_USEC")
    return Settings(
        state_dir=Path(state),
        central_url=central.rstrip("/") if central else None,
        api_key=key,
        central_ca_file=_path(environ, "POOLKEEPER_CENTRAL_CA_FILE"),
        config_file=config_file,
        oci_auth=read_oci_auth(environ),
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


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None
