"""The agent's settings as a systemd environment file; lines that stand there are kept."""

import configparser
import re
from collections.abc import Mapping
from pathlib import Path

from agent.addresses import check_central_url
from agent.errors import SettingsError
from agent.install.steps import InstallError

HEADER = """\
# Settings of the Poolkeeper agent. No secrets: those lie in credentials/ beside this file.
# After a change: systemctl restart poolkeeper-agent
"""
_NAME = re.compile(r"POOLKEEPER_[A-Z0-9_]+")
_SECRET = {"POOLKEEPER_API_KEY"}
_PROFILE = {
    "tenancy": "POOLKEEPER_OCI_TENANCY",
    "user": "POOLKEEPER_OCI_USER",
    "fingerprint": "POOLKEEPER_OCI_FINGERPRINT",
}


def merge(existing: str, changes: Mapping[str, str]) -> str:
    """Return the file with some settings changed or added; other lines stay as they are.

    Raises:
        InstallError: a name or value does not belong into this file.
    """
    for name, value in changes.items():
        _check(name, value)
    left = dict(changes)
    lines = []
    for line in (existing or HEADER).splitlines():
        name = line.partition("=")[0].strip()
        lines.append(f"{name}={left.pop(name)}" if name in left else line)
    lines += [f"{name}={value}" for name, value in left.items()]
    return "".join(f"{line}\n" for line in lines)


def value_of(text: str, name: str) -> str | None:
    """Return a setting's value in the file, None when it is not set."""
    for line in reversed(text.splitlines()):
        found, separator, value = line.partition("=")
        if separator and found.strip() == name:
            return value.strip() or None
    return None


def from_oci_profile(file: Path, profile: str) -> tuple[dict[str, str], Path]:
    """Read a profile of the OCI command line's configuration file.

    Returns:
        The settings that name the key, and where the private key lies.

    Raises:
        InstallError: the profile is missing or incomplete, or its key has a passphrase.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
        section = dict(parser[profile])
        settings = {name: section[field] for field, name in _PROFILE.items()}
        key_file = Path(section["key_file"]).expanduser()
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise InstallError(f"{file} cannot be read: {error}") from error
    except KeyError as missing:
        raise InstallError(f"{file}: [{profile}] lacks {missing.args[0]}") from None
    if "pass_phrase" in section:
        raise InstallError(f"{file}: [{profile}] has a passphrase; a service needs a key without")
    return {"POOLKEEPER_OCI_AUTH": "api_key", **settings}, key_file


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise InstallError(f"{name!r} is no setting of the agent: they begin with POOLKEEPER_")
    if name in _SECRET:
        raise InstallError(f"{name} is a secret: give it with --key-file, not as a setting")
    if any(character in value for character in "\n\r\0\"'\\"):
        raise InstallError(f"{name} must not hold quotes, backslashes or line breaks")
    if name == "POOLKEEPER_CENTRAL_URL" and value:
        try:
            check_central_url(value)
        except SettingsError as error:
            raise InstallError(str(error)) from error
