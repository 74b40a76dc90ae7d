"""Passwords: what is accepted, and that nothing tells whether an account exists."""

import asyncio
import os

import psutil
import pytest

from central import password_worker
from central.errors import ApiError
from central.password_worker import PasswordWorker
from central.passwords import (
    COST,
    NOBODYS,
    check_new_password,
    hash_password,
    is_outdated,
    verify_password,
)

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
    assert NOBODYS.startswith(f"$2b${COST}$")
    assert not is_outdated(NOBODYS)


def test_the_stored_cost_is_twelve() -> None:
    assert hash_password("correct horse battery").startswith("$2b$12$")


def bcrypt_processes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "central.bcrypt_process" in child.cmdline()
    ]


def test_the_worker_checks_in_a_process_of_its_own_that_lets_others_go_first() -> None:
    before = set(bcrypt_processes())
    worker = PasswordWorker()
    stored = hash_password("correct horse bättery\n", cost=4)
    assert not set(bcrypt_processes()) - before, "nothing runs until there is a password"
    assert asyncio.run(worker.verify("correct horse bättery\n", stored))
    assert not asyncio.run(worker.verify("correct horse battery", stored))
    (process,) = set(bcrypt_processes()) - before
    assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
    assert verify_password("a new password", asyncio.run(worker.hash("a new password")))
    worker.close()
    assert not process.is_running()


def test_the_worker_goes_on_after_its_process_was_killed() -> None:
    before = set(bcrypt_processes())
    worker = PasswordWorker()
    stored = hash_password("correct horse battery", cost=4)
    assert asyncio.run(worker.verify("correct horse battery", stored))
    (process,) = set(bcrypt_processes()) - before
    process.kill()
    process.wait()
    assert asyncio.run(worker.verify("correct horse battery", stored))
    assert not asyncio.run(worker.verify("wrong", stored))
    worker.close()


def test_a_password_that_waits_too_long_gets_a_process_with_a_share_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No test can keep every processor busy for seconds: no patience at all is the same to the code.
    monkeypatch.setattr(password_worker, "PATIENCE_SECONDS", 0.0)
    before = set(bcrypt_processes())
    worker = PasswordWorker()
    stored = hash_password("correct horse battery", cost=4)
    assert asyncio.run(worker.verify("correct horse battery", stored))
    assert not asyncio.run(worker.verify("wrong", stored))
    worker.close()
    assert not set(bcrypt_processes()) - before
