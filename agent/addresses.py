"""Addresses that the agent may talk to or listen on: nothing that would show a secret."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from agent.errors import SettingsError

DEFAULT_LISTEN = "127.0.0.1:9467"
"""Where metrics, health and status are served; loopback only."""


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on; port 0 takes a free one."""

    host: str
    port: int


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


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
