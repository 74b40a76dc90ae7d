"""Secrets that systemd or a file hands over: one line each, and never shown."""

from collections.abc import Mapping
from pathlib import Path

from agent.errors import SettingsError
from agent.keyring import is_one_key


def read_secret(environ: Mapping[str, str], name: str, of_systemd: str) -> str | None:
    """Return a secret from NAME, the file that NAME_FILE names, or a credential; None: not given.

    Args:
        environ: the process environment.
        name: of the variable.
        of_systemd: of the credential.

    Raises:
        SettingsError: it cannot be read, or is no single line.
    """
    if environ.get(name):
        return _one_key(environ[name].strip(), name)
    path = environ.get(f"{name}_FILE") or credential(environ, of_systemd)
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


def credential(environ: Mapping[str, str], name: str) -> str:
    """Return the path of a credential that systemd loaded (LoadCredential=), or ""."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / name if directory else None
    return str(path) if path and path.is_file() else ""
