"""Which tenancy's limit a node shares: told by what signs its requests."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.compose import build
from agent.oci_auth import OciAuth
from agent.tenancy import tenancy_of
from tests.agent.rig import Rig, until

PROFILES = "[DEFAULT]\ntenancy=ocid1.tenancy.one\n[OTHER]\ntenancy=ocid1.tenancy.two\n[BARE]\n"


def never() -> str | None:
    raise AssertionError("the metadata service has no say in this")


@pytest.mark.parametrize(
    ("profile", "found"),
    [("DEFAULT", "ocid1.tenancy.one"), ("OTHER", "ocid1.tenancy.two"), ("NONE", None)],
)
def test_a_profile_names_it(tmp_path: Path, profile: str, found: str | None) -> None:
    file = tmp_path / "config"
    file.write_text(PROFILES)
    assert tenancy_of(OciAuth("config_file", str(file), profile), never) == found


def test_a_profile_that_cannot_be_read_names_none(tmp_path: Path) -> None:
    assert tenancy_of(OciAuth("config_file", str(tmp_path / "none")), never) is None


def test_a_key_in_the_settings_names_it() -> None:
    assert tenancy_of(OciAuth("api_key", tenancy="ocid1.tenancy.three"), never) == (
        "ocid1.tenancy.three"
    )


def test_an_instance_asks_the_metadata_service() -> None:
    assert tenancy_of(OciAuth(), lambda: "ocid1.tenancy.four") == "ocid1.tenancy.four"


def test_a_real_agent_reports_it(rig: Rig) -> None:
    rig.add_pool("web", size=1, hosts_this=True)
    auth = replace(rig.settings.oci_auth, kind="instance_principal")
    settings = replace(
        rig.settings,
        metadata_url=f"{rig.server.url}/opc/v2",
        oci_auth=auth,
        central_url="http://127.0.0.1:1",
        api_key="key",
    )
    agent = build(settings, rig.surroundings())
    beats = agent.beats
    assert beats is not None
    assert until(lambda: beats._build(goodbye=False).tenancy) == rig.key.tenancy
    agent.close()
