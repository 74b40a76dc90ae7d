"""The settings file: changed line by line, and a profile of OCI's own tools taken over."""

from pathlib import Path

import pytest

from agent.install.settings_file import HEADER, from_oci_profile, merge, value_of
from agent.install.steps import InstallError

EDITED = "# mine\nPOOLKEEPER_OCI_ENDPOINT=https://a\n\nPOOLKEEPER_TRACE_FILE=/x\n"
PROFILE = """\
[DEFAULT]
user = ocid1.user.oc1..u
tenancy = ocid1.tenancy.oc1..t
fingerprint = aa:bb
key_file = ~/key.pem
"""


def test_changes_keep_comments_order_and_other_settings() -> None:
    text = merge(EDITED, {"POOLKEEPER_OCI_ENDPOINT": "https://b", "POOLKEEPER_CLOCK": "scale=2"})
    assert text == (
        "# mine\nPOOLKEEPER_OCI_ENDPOINT=https://b\n\nPOOLKEEPER_TRACE_FILE=/x\n"
        "POOLKEEPER_CLOCK=scale=2\n"
    )
    assert merge(text, {}) == text


def test_a_new_file_says_what_it_is() -> None:
    assert merge("", {}) == HEADER


def test_the_last_of_two_lines_counts_as_for_systemd() -> None:
    text = "POOLKEEPER_A=1\nPOOLKEEPER_A=2\n#POOLKEEPER_B=3\nPOOLKEEPER_C=\n"
    names = ("POOLKEEPER_A", "POOLKEEPER_B", "POOLKEEPER_C")
    assert [value_of(text, name) for name in names] == ["2", None, None]


def test_a_profile_gives_settings_and_its_key_goes_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(PROFILE)
    settings, key = from_oci_profile(file, "DEFAULT")
    assert settings["POOLKEEPER_OCI_AUTH"] == "api_key"
    assert settings["POOLKEEPER_OCI_USER"] == "ocid1.user.oc1..u"
    assert key == Path("~/key.pem").expanduser()
    assert "key.pem" not in "".join(settings.values())


BROKEN = {
    "a field is missing": (PROFILE.replace("user =", "nobody ="), "DEFAULT", "lacks user"),
    "no such profile": (PROFILE, "OTHER", "lacks OTHER"),
    "a passphrase": (f"{PROFILE}pass_phrase = x\n", "DEFAULT", "without"),
    "no such format": ("nonsense", "DEFAULT", "cannot be read"),
}


@pytest.mark.parametrize(("text", "profile", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_profile_that_cannot_serve_is_refused(
    text: str, profile: str, sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(InstallError, match=sentence):
        from_oci_profile(file, profile)
