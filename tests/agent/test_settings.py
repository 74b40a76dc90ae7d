"""Who the agent is and whom it trusts, read from the environment."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.addresses import check_central_url
from agent.errors import SettingsError
from agent.rehearsal import parse_clock
from agent.settings import read_settings

STATE = {"POOLKEEPER_STATE_DIR": "/var/lib/x"}
API_KEY = {
    "POOLKEEPER_OCI_AUTH": "api_key",
    "POOLKEEPER_OCI_TENANCY": "t",
    "POOLKEEPER_OCI_USER": "u",
    "POOLKEEPER_OCI_FINGERPRINT": "f",
    "POOLKEEPER_OCI_KEY_FILE": "/k",
}


def test_a_bare_node_is_an_instance_principal_without_central() -> None:
    settings = read_settings(STATE)
    assert settings.oci_auth.kind == "instance_principal"
    assert settings.central_url is None
    assert settings.clock.scale == 1


def test_systemd_directories_and_credentials_are_used(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("pk_node_secret\n")
    (tmp_path / "oci_key.pem").write_text("pem")
    environ = {
        "STATE_DIRECTORY": "/var/lib/poolkeeper-agent",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "POOLKEEPER_CENTRAL_URL": "https://central/",
        "WATCHDOG_USEC": "90000000",
    }
    settings = read_settings(environ)
    assert settings.state_dir == Path("/var/lib/poolkeeper-agent")
    assert (settings.api_key, settings.central_url) == ("pk_node_secret", "https://central")
    assert settings.oci_auth.key_file == str(tmp_path / "oci_key.pem")
    assert settings.watchdog_seconds == 90
    assert "pk_node_secret" not in repr(settings)


BAD: dict[str, tuple[dict[str, str], str]] = {
    "no state directory": ({}, "POOLKEEPER_STATE_DIR"),
    "a central without key": (STATE | {"POOLKEEPER_CENTRAL_URL": "https://c"}, "no node key"),
    "an unknown way to sign": (STATE | {"POOLKEEPER_OCI_AUTH": "magic"}, "instance_principal"),
    "half an API key": (
        STATE | API_KEY | {"POOLKEEPER_OCI_USER": ""},
        "also needs POOLKEEPER_OCI_USER",
    ),
    "a key file that is not there": (
        STATE | {"POOLKEEPER_CENTRAL_URL": "https://c", "POOLKEEPER_API_KEY_FILE": "/nowhere"},
        "cannot read POOLKEEPER_API_KEY",
    ),
    "a clock without zone": (STATE | {"POOLKEEPER_CLOCK": "simulated=2026-01-01T00:00"}, "zone"),
    "a clock that stands": (STATE | {"POOLKEEPER_CLOCK": "scale=0"}, "above 0"),
    "an unknown clock word": (STATE | {"POOLKEEPER_CLOCK": "speed=2"}, "speed"),
}


@pytest.mark.parametrize(("environ", "says"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_told_with_its_name(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_settings(environ)


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    environ = STATE | {"POOLKEEPER_API_KEY_FILE": str(tmp_path / "key")}
    with pytest.raises(SettingsError, match="empty"):
        read_settings(environ)


NO_KEY = {
    "two lines": b"pk_node_a\npk_node_b",
    "words": b"pk_node a",
    "accents": "pk_nöde".encode(),
}


@pytest.mark.parametrize("content", NO_KEY.values(), ids=NO_KEY.keys())
@pytest.mark.parametrize("name", ["POOLKEEPER_API_KEY", "POOLKEEPER_PROMETHEUS_TOKEN"])
def test_a_key_of_two_lines_or_words_is_refused_and_not_shown(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    for environ in ({f"{name}_FILE": str(path)}, {name: content.decode()}):
        with pytest.raises(SettingsError, match="does not hold one node key") as caught:
            read_settings(STATE | environ)
        assert "pk_n" not in str(caught.value)


URLS: dict[str, bool] = {
    "https://central.example.com": True,
    "https://10.0.0.1:8443/base": True,
    "http://127.0.0.1:8080": True,
    "http://[::1]:8080": True,
    "http://localhost:1": True,
    "http://10.0.0.1": False,
    "http://central.example.com": False,
    "http://localhost.example.com": False,
    "ftp://central": False,
    "central": False,
    "https://user:password@central": False,
}


@pytest.mark.parametrize(("url", "good"), URLS.items(), ids=URLS.keys())
def test_only_https_or_this_very_host(url: str, good: bool) -> None:
    if good:
        check_central_url(url)
        return
    with pytest.raises(SettingsError) as caught:
        check_central_url(url)
    assert "password@" not in str(caught.value)


def test_a_rehearsal_clock_is_read() -> None:
    spec = parse_clock("scale=60;simulated=2026-01-05T08:00:00Z;wall=2026-01-05T07:00:00+00:00")
    assert spec.scale == 60
    assert spec.simulated == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert spec.wall == datetime(2026, 1, 5, 7, tzinfo=UTC)
