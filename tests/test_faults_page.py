"""Every fault in scope has a test, and docs/faults.md says which."""

import pytest

from tests.fault_matrix import FAULTS, PAGE, render, shown_by


@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_has_a_named_test(number: int) -> None:
    assert shown_by().get(number), f"no test shows fault {number}"


def test_no_test_names_a_fault_that_is_not_there() -> None:
    assert set(shown_by()) <= set(range(1, 72))


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == render(), "run python -m tests.fault_matrix"
