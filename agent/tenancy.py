"""Which tenancy this node reads: Monitoring's limit is one for all of a tenancy's nodes."""

import configparser
import threading
from collections.abc import Callable
from pathlib import Path

from agent.oci_auth import OciAuth


def tenancy_of(auth: OciAuth, look_up: Callable[[], str | None]) -> str | None:
    """Return the tenancy's OCID, or None when it cannot be told.

    Args:
        auth: how requests to OCI are signed, and thereby whose they are.
        look_up: asks the metadata service, for an instance that signs as itself.
    """
    if auth.kind == "api_key":
        return auth.tenancy or None
    if auth.kind == "instance_principal":
        return look_up()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(Path(auth.config_file).expanduser().read_text(encoding="utf-8"))
        return parser[auth.profile].get("tenancy")
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError):
        return None  # the client says what is wrong with the profile


class Tenancy:
    """Learns the tenancy behind the scenes; nobody waits for it."""

    def __init__(self, find: Callable[[], str | None]) -> None:
        self._find = find
        self._name: str | None = None

    def begin(self) -> None:
        """Start to look it up."""
        threading.Thread(target=self._learn, name="tenancy", daemon=True).start()

    def name(self) -> str | None:
        """Return the tenancy's OCID; None while it is not known."""
        return self._name

    def _learn(self) -> None:
        self._name = self._find()
