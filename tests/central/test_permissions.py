"""The table of roles in the documentation is the one that is enforced."""

from pathlib import Path

import pytest

from central.permissions import ROLES, ROUTES, Permission, allows, required
from poolkeeper.security_page import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"


def test_the_page_shows_todays_table() -> None:
    assert PAGE.read_text("utf-8") == render(), "run `make docs`"
    for method, path in ROUTES:
        assert f"| `{method} {path}` |" in render()


@pytest.mark.parametrize("role", ["NOBODY", "", "user", "ROOT"])
def test_an_unknown_role_may_do_nothing(role: str) -> None:
    assert not any(allows(role, permission) for permission in Permission)


def test_each_role_may_do_what_the_one_below_may() -> None:
    assert ROLES["USER"] < ROLES["DEVOPS"] < ROLES["ADMIN"]


def test_what_is_not_in_the_table_is_nobodys() -> None:
    assert required("GET", "/v1/secrets") is None
    assert required("TRACE", "/v1/nodes") is None
