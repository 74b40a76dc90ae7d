"""Passwords: what is accepted, and that nothing tells whether an account exists."""

import pytest

from central.errors import ApiError
from central.passwords import check_new_password, hash_password, verify_password

CASES: dict[str, tuple[str, bool]] = {
    "twelve characters": ("abcdefghijkl", True),
    "eleven": ("abcdefghijk", False),
    "seventy-two bytes": ("abcd" * 18, True),
    "one byte more": ("abcd" * 18 + "x", False),
    "few characters but many bytes": ("ä" * 30 + "bcd" + "ö" * 10, False),
    "a NUL": ("abcdefghijkl\0", False),
    "one letter over and over": ("aaaaaaaaaaaa", False),
}


@pytest.mark.parametrize(("password", "accepted"), CASES.values(), ids=CASES.keys())
def test_new_passwords(password: str, accepted: bool) -> None:
    if accepted:
        check_new_password(password)
        return
    with pytest.raises(ApiError) as refusal:
        check_new_password(password)
    assert refusal.value.status == 422
    assert password not in str(refusal.value)


def test_only_the_password_itself_verifies() -> None:
    stored = hash_password("correct horse battery", cost=4)
    assert stored.startswith("$2b$04$")
    assert verify_password("correct horse battery", stored)
    assert not verify_password("correct horse batterY", stored)
    assert not verify_password("x" * 100, stored)
    assert not verify_password("a\0b", stored)


def test_without_an_account_nothing_verifies_and_bcrypt_still_runs() -> None:
    assert not verify_password("correct horse battery", None)
    assert not verify_password("nobody has this password", None)


def test_the_stored_cost_is_twelve() -> None:
    assert hash_password("correct horse battery").startswith("$2b$12$")
