"""Which pins of the lock file a node needs."""

from pathlib import Path

import pytest

from agent.install.lock import read, roots, subset

LOCK = """\
# This file was compiled
click==8.5 ; sys_platform != 'x' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via poolkeeper (pyproject.toml)
cffi==2.0 \\
    --hash=sha256:cc
    # via cryptography
Cryptography==50 \\
    --hash=sha256:dd
    # via
    #   oci
    #   pyopenssl
oci==2.189 \\
    --hash=sha256:ee
    # via poolkeeper (pyproject.toml)
sqlalchemy==2.0 \\
    --hash=sha256:ff
    # via
    #   alembic
    #   poolkeeper (pyproject.toml)
"""
REQUIRES = ["click>=8", 'oci[x]>=2; extra == "agent"', "SQLAlchemy>=2 ; extra == 'central'"]


def test_roots_are_the_plain_requirements_and_those_of_the_extra() -> None:
    assert roots(REQUIRES, "agent") == {"click", "oci"}


def test_the_subset_holds_what_is_wanted_and_what_that_wants() -> None:
    kept = subset(LOCK, roots(REQUIRES, "agent"))
    assert [pin.name for pin in read(kept)] == ["click", "cffi", "cryptography", "oci"]
    assert kept.count("--hash=") == 5
    assert "click==8.5 ; sys_platform != 'x' \\\n" in kept
    assert "#" not in kept


def test_a_name_without_a_pin_is_named() -> None:
    with pytest.raises(ValueError, match="does not pin httpx"):
        subset(LOCK, frozenset({"httpx", "click"}))


def test_the_real_lock_gives_the_agent_no_database_and_no_compiler() -> None:
    text = (Path(__file__).resolve().parents[3] / "requirements.lock").read_text()
    wanted = frozenset({"oci", "httpx", "apscheduler", "psutil", "tenacity", "click"})
    names = {pin.name for pin in read(subset(text, wanted))}
    assert {"oci", "cryptography", "certifi", "psutil"} <= names
    assert not names & {"sqlalchemy", "fastapi", "psycopg2-binary", "pytest", "mypy"}
