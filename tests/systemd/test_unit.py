"""The agent's unit file as text; how it behaves is told by real_systemd.py."""

import re
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
UNIT = TREE / "systemd" / "poolkeeper-agent.service"
DRAIN_SECONDS = 10
CAGE = {
    "DynamicUser": "yes",
    "StateDirectory": "poolkeeper-agent",
    "StateDirectoryMode": "0700",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "DevicePolicy": "closed",
    "PrivateUsers": "yes",
    "PrivateIPC": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectProc": "invisible",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RemoveIPC": "yes",
    "UMask": "0077",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service ~@privileged @resources",
    "KeyringMode": "private",
    "LimitCORE": "0",
}
LEFT_OPEN = ("ProcSubset", "PrivateNetwork", "IPAddressDeny", "RootDirectory")


def settings() -> dict[str, str]:
    """Settings of the unit; those that are given several times are joined by a space."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return {name: " ".join(values) for name, values in found.items()}


@pytest.mark.parametrize(("name", "value"), CAGE.items(), ids=CAGE)
def test_the_cage_has_every_bar(name: str, value: str) -> None:
    assert settings()[name] == value


@pytest.mark.parametrize("name", LEFT_OPEN)
def test_what_is_left_open_is_explained(name: str) -> None:
    assert re.search(rf"^# {name}=\S*  +\w.{{20}}", UNIT.read_text(), re.MULTILINE)


def test_it_is_supervised_by_notification_and_watchdog_and_never_given_up() -> None:
    found = settings()
    supervised = ("Type", "Restart", "StartLimitIntervalSec", "TimeoutStartSec")
    assert [found[name] for name in supervised] == ["notify", "always", "0", "infinity"]
    assert int(found["WatchdogSec"]) >= 60
    assert int(found["TimeoutStopSec"]) > DRAIN_SECONDS
    assert "HUP" in found["ExecReload"]


def test_its_environment_holds_no_secret() -> None:
    assert "KEY" not in settings()["Environment"]
    assert "SetCredential" not in settings()


def test_the_wheel_carries_this_very_unit_and_the_lock_file() -> None:
    inside = TREE / "agent" / "install"
    assert (inside / UNIT.name).read_bytes() == UNIT.read_bytes()
    lock = TREE / "requirements.lock"
    assert (inside / lock.name).read_bytes() == lock.read_bytes()
